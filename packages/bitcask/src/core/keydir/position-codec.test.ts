import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KeydirPosition } from '../keydir.js';
import { checkPosition, POSITION_BYTES, readPosition, releasePosition, writePosition } from './position-codec.js';
import { SideTable } from './side-table.js';

const SEED = 6;
const LARGEST: KeydirPosition = {
  fileId: 2 ** 32 - 1,
  offset: 2 ** 31 - 1,
  recordBytes: 2 ** 32 - 1,
  sequence: Number.MAX_SAFE_INTEGER,
  expires: true,
};
const SMALLEST: KeydirPosition = { fileId: 1, offset: 0, recordBytes: 1, sequence: 1, expires: false };

function around(limit: number, most: number): fc.Arbitrary<number> {
  return fc.oneof(fc.integer({ min: 1, max: most }), fc.constantFrom(1, limit - 1, limit, most));
}

const positions = fc.record({
  fileId: around(2 ** 24, LARGEST.fileId),
  offset: around(2 ** 16, LARGEST.offset),
  recordBytes: around(2 ** 24, LARGEST.recordBytes),
  sequence: around(2 ** 48, LARGEST.sequence),
  expires: fc.boolean(),
});

describe('the position codec', () => {
  test('gives back every position that is in range, and its room in the side table', () => {
    fc.assert(
      fc.property(positions, (position) => {
        checkPosition(position);
        const view = new DataView(new ArrayBuffer(POSITION_BYTES + 1));
        const wide = new SideTable<KeydirPosition>(() => 1);
        writePosition(view, 1, position, wide);
        const out = { ...SMALLEST };
        readPosition(view, 1, out, wide);
        expect(out).toEqual(position);
        const fits = position.fileId < 2 ** 24 && position.recordBytes < 2 ** 24 && position.sequence < 2 ** 48;
        expect(wide.size).toBe(fits ? 0 : 1);
        releasePosition(view, 1, wide);
        expect(wide.size).toBe(0);
        expect(wide.bytes).toBe(0);
      }),
      { seed: SEED },
    );
  });

  test('a wide position is a copy, not the object of the caller', () => {
    const view = new DataView(new ArrayBuffer(POSITION_BYTES));
    const wide = new SideTable<KeydirPosition>(() => 1);
    const position = { ...LARGEST };
    writePosition(view, 0, position, wide);
    position.offset = 5;
    const out = { ...SMALLEST };
    readPosition(view, 0, out, wide);
    expect(out).toEqual(LARGEST);
  });

  test('the ends of every range are accepted', () => {
    expect(() => checkPosition(LARGEST)).not.toThrow();
    expect(() => checkPosition(SMALLEST)).not.toThrow();
  });

  test.each([
    { fileId: 0 },
    { fileId: 2 ** 32 },
    { fileId: 1.5 },
    { offset: -1 },
    { offset: 2 ** 31 },
    { recordBytes: 0 },
    { recordBytes: 2 ** 32 },
    { recordBytes: Number.NaN },
    { sequence: 0 },
    { sequence: 2 ** 53 },
  ])('%o is out of range', (wrong) => {
    expect(() => checkPosition({ ...SMALLEST, ...wrong })).toThrow(RangeError);
  });
});
