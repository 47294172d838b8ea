import { expect, test } from 'vitest';
import { decodeReadToken, encodeReadToken } from './read-token.js';
import { ServerError } from './server-error.js';

const indexes = [0, 1, 255, 256, 292, 511, 512, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 48 + 7];

test('a token says which group, and how far', () => {
  for (const index of indexes) {
    expect(decodeReadToken(encodeReadToken({ groupId: 7, index }))).toEqual({ groupId: 7, index });
  }
});

test('of two tokens of one group the bytewise larger one has seen more', () => {
  const tokens = indexes.map((index) => Buffer.from(encodeReadToken({ groupId: 1, index })));
  expect(tokens.toSorted((a, b) => a.compare(b))).toEqual(tokens);
});

test('tokens of the first form are still read, and others refused', () => {
  expect(decodeReadToken(Buffer.from('01010000002401000000000000', 'hex'))).toEqual({ groupId: 1, index: 292 });
  for (const bytes of ['', '03010000002401000000000000', '0101', '0201000000ffffffffffffffff']) {
    expect(() => decodeReadToken(Buffer.from(bytes, 'hex')), bytes).toThrow(ServerError);
  }
});
