import { expect, test } from 'vitest';
import { isVectorToken, mergeVectorTokens } from './vector-token-wire.js';

type Stream = readonly [origin: number, epoch: number, sequence: number];

function token(keyspaceId: number, ...streams: readonly Stream[]): Buffer {
  const bytes = Buffer.alloc(9 + streams.length * 20);
  bytes[0] = 3;
  bytes.writeUInt32LE(keyspaceId, 1);
  bytes.writeUInt32LE(streams.length, 5);
  for (const [i, [origin, epoch, sequence]] of streams.entries()) {
    bytes.writeUInt32LE(origin, 9 + i * 20);
    bytes.writeBigUInt64LE(BigInt(epoch), 13 + i * 20);
    bytes.writeBigUInt64BE(BigInt(sequence), 21 + i * 20);
  }
  return bytes;
}

test('of two nodes that had not heard of each other both are kept, and of each stream the later place', () => {
  const merged = mergeVectorTokens(token(7, [1, 1, 300], [2, 1, 5]), token(7, [2, 1, 4], [3, 1, 9], [1, 2, 1]));
  expect(merged).toEqual(token(7, [1, 1, 300], [2, 1, 5], [3, 1, 9], [1, 2, 1]));
  expect(isVectorToken(merged)).toBe(true);
});

test('what cannot be put together is the newer one as it is', () => {
  const newer = token(8, [1, 1, 1]);
  for (const older of [Buffer.alloc(0), token(7, [1, 1, 300]), token(8, [1, 1, 300]).subarray(0, 20)]) {
    expect(mergeVectorTokens(older, newer)).toBe(newer);
  }
  expect(isVectorToken(Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]))).toBe(false);
});
