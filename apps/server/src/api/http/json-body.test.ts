import { expect, test } from 'vitest';
import { parseJsonBody } from './json-body.js';

const parse = (text: string) => parseJsonBody(Buffer.from(text), 10);

test('a large body of more parts than a batch could have is refused before it is parsed', () => {
  expect(() => parse(`{"operations":[${'{},'.repeat(30_000)}{}]}`)).toThrow('more parts than 10 operations');
  expect(() => parse('['.repeat(100_000))).toThrow('more parts than 10 operations');
});

test.each([
  ['commas', ','.repeat(100_000)],
  ['brackets and braces', '[{'.repeat(50_000)],
  ['quotes', '"[,'.repeat(30_000)],
  ['backslashes', '\\[,'.repeat(30_000)],
  ['backslashes and quotes', '\\\\"[,\\'.repeat(30_000)],
])('%s within a text are no parts', (_, value) => {
  expect(parse(JSON.stringify({ value }))).toEqual({ value });
});

test('a text that does not end is no JSON', () => {
  expect(() => parse(`{"value":"${'a'.repeat(100_000)}`)).toThrow('not JSON');
  expect(() => parse(`{"value":"${'a'.repeat(100_000)}\\`)).toThrow('not JSON');
});
