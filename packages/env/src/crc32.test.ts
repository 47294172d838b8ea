import zlib from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32 } from './crc32.js';

test('the checksum of "123456789" is the one every implementation of CRC-32 gives', () => {
  expect(crc32(Buffer.from('123456789'))).toBe(0xcbf4_3926);
  expect(crc32(new Uint8Array(0))).toBe(0);
});

test('values equal those of zlib for every length around the threshold, with seeds and ranges (seed 32)', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 1200 }),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      fc.nat(1200),
      fc.nat(1200),
      (bytes, seed, a, b) => {
        const start = Math.min(a, b, bytes.length);
        const end = Math.min(Math.max(a, b), bytes.length);
        fc.pre(end > start);
        expect(crc32(bytes, seed)).toBe(zlib.crc32(bytes, seed));
        expect(crc32(bytes, seed, start, end)).toBe(zlib.crc32(bytes.subarray(start, end), seed));
      },
    ),
    { seed: 32, numRuns: 500 },
  );
});

test('nothing changes the checksum by nothing', () => {
  for (const seed of [0, 1, 0x8000_0000, 0xffff_ffff]) {
    expect(crc32(new Uint8Array(0), seed)).toBe(seed);
    expect(crc32(new Uint8Array(2000), seed, 700, 700)).toBe(seed);
  }
});

test('chaining through the seed gives the checksum of the whole, wherever it is cut', () => {
  const bytes = Uint8Array.from({ length: 900 }, (_, i) => (i * 167) ^ (i >> 3));
  const whole = crc32(bytes);
  for (let cut = 0; cut <= bytes.length; cut++) {
    expect(crc32(bytes, crc32(bytes, 0, 0, cut), cut)).toBe(whole);
  }
});
