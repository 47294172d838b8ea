import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Entry, type EntryType, emptyConfState, noData, RaftError } from '../src/index.js';
import { decodeFirstReleaseRecord } from '../src/wal/first-release-record.js';
import { StreamFold } from '../src/wal/stream-fold.js';
import { decodeWrite, type GroupWrite, WriteEncoder, writeKind } from '../src/wal/write-record.js';
import { entriesOf, entryOf } from './support/wal-fixture.js';

const seed = 4711;
const number = fc.maxSafeNat();
const nodeId = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const confState = fc.record({
  voters: fc.array(nodeId, { maxLength: 5 }),
  votersOutgoing: fc.array(nodeId, { maxLength: 3 }),
  learners: fc.array(nodeId, { maxLength: 3 }),
  learnersNext: fc.array(nodeId, { maxLength: 2 }),
  autoLeave: fc.boolean(),
});
const hardState = fc.record({ term: number, vote: number, commit: number });
const base = fc.record({
  kind: fc.constantFrom('compaction' as const, 'snapshot' as const),
  index: number,
  term: number,
  confState,
});
const entries = fc
  .tuple(
    fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 100 }),
    fc.array(
      fc.record({
        term: number,
        type: fc.constantFrom<EntryType>('EntryNormal', 'EntryConfChange', 'EntryConfChangeV2'),
        data: fc.uint8Array({ maxLength: 40 }),
      }),
      { maxLength: 6 },
    ),
  )
  .map(([first, list]): Entry[] => list.map((entry, i) => ({ index: first + i, ...entry })));
const write = fc.record({
  hardState: fc.option(hardState, { nil: undefined }),
  base: fc.option(base, { nil: undefined }),
  entries,
});

const plain = (entry: Entry) => ({ ...entry, data: [...entry.data] });
const shown = (value: GroupWrite) => ({
  hardState: value.hardState,
  base: value.base,
  entries: value.entries.map(plain),
});

test('every write is read back as it was written', () => {
  const encoder = new WriteEncoder();
  fc.assert(
    fc.property(write, fc.integer({ min: 1, max: 2 ** 48 - 1 }), (value, writeNumber) => {
      const [record, ...more] = encoder.encode(writeNumber, value);
      const decoded = decodeWrite(record?.payload as Uint8Array);
      expect(more).toEqual([]);
      expect(shown(decoded)).toEqual(shown(value));
      expect([decoded.number, decoded.continues]).toEqual([writeNumber, false]);
    }),
    { seed, numRuns: 500 },
  );
});

test('a large write goes into several records, of which a large entry has one to itself', () => {
  const list = [
    entryOf(1, 1, 200_000),
    entryOf(2, 1, 100_000),
    entryOf(3, 1, 700_000),
    entryOf(4, 1, 0),
    entryOf(5, 1, 9),
  ];
  const value = { hardState: { term: 1, vote: 2, commit: 0 }, base: undefined, entries: list };
  const records = new WriteEncoder().encode(9, value);
  const decoded = records.map(({ payload }) => decodeWrite(payload));
  expect(decoded.map((part) => [part.number, part.continues, part.entries.length])).toEqual([
    [9, false, 0],
    [9, true, 1],
    [9, true, 1],
    [9, true, 1],
    [9, true, 2],
  ]);
  expect(records.map(({ firstIndex }) => firstIndex)).toEqual([0, 1, 2, 3, 4]);
  expect(
    decoded
      .flatMap((part) => part.entries)
      .every((entry, i) => Buffer.compare(entry.data, (list[i] as Entry).data) === 0),
  ).toBe(true);
});

test('the bytes of a write are those of the format', () => {
  const members = { ...emptyConfState, voters: [1, 2], learners: [258], autoLeave: true };
  const value: GroupWrite = {
    hardState: { term: 5, vote: 2, commit: 2 ** 32 },
    base: { kind: 'compaction', index: 7, term: 4, confState: members },
    entries: [
      { index: 8, term: 5, type: 'EntryNormal', data: Uint8Array.of(0xaa, 0xbb) },
      { index: 9, term: 5, type: 'EntryConfChangeV2', data: noData },
    ],
  };
  const [record] = new WriteEncoder().encode(2 ** 32 + 3, value);
  expect(Buffer.from(record?.payload as Uint8Array).toString('hex')).toBe(
    [
      '02 0b 030000000100',
      '0500000000000000 0200000000000000 0000000001000000',
      '0700000000000000 0400000000000000',
      '0200 0000 0100 0000 01 00000000000000 0100000000000000 0200000000000000 0201000000000000',
      '0800000000000000 02000000 00000000',
      '0500000000000000 02000000 00 000000 aabb',
      '0500000000000000 00000000 03 000000',
    ]
      .join('')
      .replaceAll(' ', ''),
  );
});

/** Whatever the bytes are: they are read, or refused as what they are. */
function attempt(step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof RaftError)) throw error;
    expect(['LOG_DAMAGED', 'UNSUPPORTED_FORMAT']).toContain(error.code);
  }
}

test('bytes that nobody wrote are refused, and never read beyond', () => {
  const [sound] = new WriteEncoder().encode(1, {
    hardState: { term: 1, vote: 1, commit: 1 },
    base: { kind: 'snapshot', index: 3, term: 1, confState: { ...emptyConfState, voters: [1, 2, 3] } },
    entries: entriesOf(4, 1, 1, 2),
  });
  const changed = fc
    .tuple(fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 }), fc.nat(220))
    .map(([edits, length]) => {
      const bytes = Buffer.from((sound as { payload: Uint8Array }).payload.slice(0, length));
      for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
      return bytes;
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), changed), fc.nat(7), (bytes, kind) => {
      attempt(() => decodeWrite(bytes));
      attempt(() => decodeFirstReleaseRecord(kind, bytes));
    }),
    { seed, numRuns: 2000 },
  );
});

test('a stream of any writes is a log, or damage', () => {
  const small = fc.integer({ min: 0, max: 12 });
  const smallWrite = fc.record({
    number: fc.integer({ min: 1, max: 6 }),
    hardState: fc.option(fc.record({ term: small, vote: small, commit: small }), { nil: undefined }),
    base: fc.option(
      fc.record({
        kind: fc.constantFrom('compaction' as const, 'snapshot' as const),
        index: small,
        term: small,
        confState: fc.constant(emptyConfState),
      }),
      { nil: undefined },
    ),
    first: fc.integer({ min: 1, max: 12 }),
    terms: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }),
  });
  const encoder = new WriteEncoder();
  let logs = 0;
  fc.assert(
    fc.property(fc.array(smallWrite, { maxLength: 8 }), fc.boolean(), (writes, isNumbered) => {
      const fold = new StreamFold(1, 1);
      attempt(() => {
        for (const [at, { number: given, first, terms, ...rest }] of writes.entries()) {
          const [record] = encoder.encode(isNumbered ? at + 1 : given, {
            ...rest,
            entries: entriesOf(first, ...terms),
          });
          fold.add(writeKind, Uint8Array.from(record?.payload ?? []), at + 1);
        }
        const { view, hardState: state, neededLsn } = fold.end();
        logs++;
        const { start, lastIndex } = view;
        for (let index = start.index + 1; index <= lastIndex; index++) {
          expect(view.term(index)).toBeGreaterThanOrEqual(view.term(index - 1) as number);
        }
        expect(state.commit).toBeLessThanOrEqual(lastIndex);
        expect(neededLsn).toBeLessThanOrEqual(writes.length + 1);
      });
    }),
    { seed, numRuns: 1500 },
  );
  expect(logs).toBeGreaterThan(100);
});
