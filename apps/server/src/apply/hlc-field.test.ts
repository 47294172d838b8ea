import { compareHlc, type Hlc } from '@shanghai/replication';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readHlc, writeHlc } from './hlc-field.js';

const seed = 20_261_122;
const stamps = fc.record({
  ms: fc.oneof(fc.integer({ min: 0, max: 2 ** 48 - 1 }), fc.integer({ min: 2 ** 48 - 70_000, max: 2 ** 48 - 1 })),
  counter: fc.integer({ min: 0, max: 0xffff }),
});

function bytesOf(stamp: Hlc): Buffer {
  const bytes = Buffer.alloc(10, 0xaa);
  writeHlc(bytes, 1, stamp);
  expect([bytes[0], bytes[9]]).toEqual([0xaa, 0xaa]);
  return bytes;
}

test('a stamp of 48 bits of time and 16 of a counter is read as it was written: more than one number holds exactly', () => {
  fc.assert(
    fc.property(stamps, (stamp) => {
      expect(readHlc(bytesOf(stamp), 1)).toEqual(stamp);
    }),
    { seed },
  );
  const last = { ms: 2 ** 48 - 1, counter: 0xffff };
  expect(readHlc(bytesOf(last), 1)).toEqual(last);
});

test('bytes have the order of the stamps', () => {
  fc.assert(
    fc.property(stamps, stamps, (one, other) => {
      const order = Buffer.compare(bytesOf(one), bytesOf(other));
      expect(order).toBe(Math.sign(compareHlc(one, other)));
    }),
    { seed },
  );
});
