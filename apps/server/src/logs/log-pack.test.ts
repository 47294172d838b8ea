import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeLogRecords } from '../apply/log-record-codec.js';
import { defaultLimits } from '../limits.js';
import { checkPack, packRanges } from './log-pack.js';
import type { LogRecord } from './log-requests.js';

const limits = { ...defaultLimits, maxKeyBytes: 8, maxValueBytes: 20, maxOperations: 100, maxRequestBytes: 10_000 };
const seed = 20_261_122;

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const record: fc.Arbitrary<LogRecord> = fc.record({
  key: bytes(10),
  value: bytes(24),
  headers: fc.array(fc.record({ name: fc.string({ maxLength: 3 }), value: bytes(4) }), { maxLength: 2 }),
});
const isFine = (keyed: boolean) => (each: LogRecord) =>
  each.key.length <= 8 &&
  each.value.length <= 20 &&
  each.headers.every(({ name }) => name.length > 0) &&
  (!keyed || each.key.length > 0);
const packOf = (appends: readonly (readonly LogRecord[])[], named = true) => ({
  log: 'l',
  records: encodeLogRecords(appends.flat()),
  counts: named ? appends.map(({ length }) => length) : [],
});

describe('a pack', () => {
  test('keeps the appends that are in order, as they came, and refuses each other by itself', () => {
    const append = fc.array(record, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(append, { minLength: 1, maxLength: 8 }), fc.boolean(), (appends, keyed) => {
        const pack = checkPack(packOf(appends), limits, keyed);
        const fine = appends.filter((each) => each.every(isFine(keyed)));
        expect(pack.appends).toBe(appends.length);
        expect([...pack.refused.keys()]).toEqual([...appends.keys()].filter((i) => !fine.includes(appends[i] ?? [])));
        expect(pack.work?.recordCount ?? 0).toBe(fine.flat().length);
        if (fine.length > 0) expect(pack.work?.recordBytes).toEqual(encodeLogRecords(fine.flat()));
        const places = appends.map(() => 0);
        let at = 0;
        for (const range of packRanges(pack, { firstSequence: 11, lastSequence: 0, timeMs: 5, duplicate: false })) {
          let next = range.firstSequence;
          for (let left = range.appends; left > 0; left--, at++) {
            places[at] = range.error === undefined ? next : -1;
            next += appends[at]?.length ?? 0;
          }
        }
        expect(at).toBe(appends.length);
        let next = 11;
        for (const [i, each] of appends.entries()) {
          const isKept = fine.includes(each);
          expect(places[i]).toBe(isKept ? next : -1);
          if (isKept) next += each.length;
        }
      }),
      { seed },
    );
  });

  test('in which all is in order goes on without a copy, as one range', () => {
    const pack = packOf([[{ key: Buffer.alloc(0), value: Buffer.from('v'), headers: [] }]], false);
    const checked = checkPack(pack, limits, false);
    expect(checked.work?.recordBytes).toBe(pack.records);
    const place = { firstSequence: 4, lastSequence: 4, timeMs: 9, duplicate: false };
    expect(packRanges(checked, place)).toEqual([{ appends: 1, firstSequence: 4, timeMs: 9 }]);
  });

  test.each([
    ['ends within a record', { records: Buffer.alloc(9) }],
    ['passes its end', { records: Buffer.concat([Buffer.of(99, 0, 0, 0), Buffer.alloc(30)]) }],
    ['do not fit', { records: Buffer.concat([Buffer.of(12, 0, 0, 0, 7), Buffer.alloc(11)]) }],
    ['do not fit', { records: Buffer.concat([Buffer.of(6, 0, 0, 0), Buffer.alloc(20)]) }],
    ['holds no appends', { records: Buffer.alloc(0) }],
    ['holds no records', { counts: [1, 0] }],
    ['names 3 appends and holds records of 2', { counts: [1, 1, 1] }],
    ['ends within a record', { counts: [1, 2] }],
    ['more than the 100 records', { counts: [101] }],
    ['at most 10000', { records: Buffer.alloc(10_001) }],
  ])('that %s is refused as a whole', (what, damage) => {
    const one: LogRecord = { key: Buffer.alloc(0), value: Buffer.from('v'), headers: [] };
    const pack = { ...packOf([[one], [one]]), ...('records' in damage ? { counts: [] } : {}), ...damage };
    expect(() => checkPack(pack, limits, false)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
    expect(() => checkPack(pack, limits, false)).toThrow(what);
  });

  test('of any bytes is taken or refused, and nothing else', () => {
    fc.assert(
      fc.property(bytes(200), fc.array(fc.nat(4), { maxLength: 4 }), (records, counts) => {
        try {
          checkPack({ log: 'l', records, counts }, limits, true);
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_REQUEST' });
        }
      }),
      { seed, numRuns: 2_000 },
    );
  });
});
