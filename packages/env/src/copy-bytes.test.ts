import { expect, it } from 'vitest';
import { copyBytes } from './copy-bytes.js';

it('copies a Buffer too: changing the copy leaves the original as it was', () => {
  const original = Buffer.from('abcd');
  const copy = copyBytes(original, 1, 3);
  copy[0] = 0;
  expect(original.toString()).toBe('abcd');
  expect([...copy]).toEqual([0, 99]);
});
