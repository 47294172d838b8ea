import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32 } from './crc32.js';
import { shiftCrc32 } from './crc32-shift.js';

const seed = 20241130;

test(`the checksums of the same bytes with two seeds differ by the shifted difference (seed ${seed})`, () => {
  const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5_000 }), uint32, uint32, (bytes, first, second) => {
      const between = crc32(bytes, first) ^ crc32(bytes, second);
      expect(shiftCrc32(first ^ second, bytes.length)).toBe(between >>> 0);
    }),
    { seed, numRuns: 300 },
  );
});

test('behind nothing a difference is itself, and behind many bytes what it is behind them one after the other', () => {
  expect(shiftCrc32(0xdead_beef, 0)).toBe(0xdead_beef);
  expect(shiftCrc32(0, 1_000_000)).toBe(0);
  const bytes = new Uint8Array(16_777_259).fill(7);
  expect(shiftCrc32(0x8000_0001, bytes.length)).toBe((crc32(bytes, 0x8000_0001) ^ crc32(bytes)) >>> 0);
  const twice = shiftCrc32(shiftCrc32(0x1234_5678, 3_000_000_000), 1_000_000_000);
  expect(shiftCrc32(0x1234_5678, 4_000_000_000)).toBe(twice);
});
