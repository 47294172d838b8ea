import { expect, test } from 'vitest';
import { displayWidth } from './display-width.js';

test.each([
  ['', 0],
  ['abc', 3],
  ['Sant Julià', 10],
  ['e\u0301', 1],
  ['上海', 4],
  ['サン', 4],
  ['서울', 4],
  ['🙂', 2],
  ['…', 1],
])('%j takes %i columns', (text, columns) => {
  expect(displayWidth(text)).toBe(columns);
});
