import { createSeededRandom } from '@shanghai/env';
import { createManualClock, createMemoryDisk } from '@shanghai/env/testing';
import { openWal, type Wal } from '@shanghai/wal';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeCompaction, encodeEmptyEntry, encodeHardState, recordKind } from './entry-codec.js';
import { recoveredRuns, recoverStream } from './recover-stream.js';

const seed = 77;
const stream = 3;
let wal: Wal;

beforeEach(async () => {
  const random = createSeededRandom(1);
  wal = await openWal({
    directory: 'wal',
    disk: createMemoryDisk(),
    clock: createManualClock(1),
    random,
    segmentsAhead: 0,
  });
});

afterEach(() => wal.close());

const entry = (index: number, term: number) =>
  wal.append(encodeEmptyEntry(index, term), { stream, kind: recordKind.entry });
const compaction = (index: number, term: number) =>
  wal.append(encodeCompaction(index, term), { stream, kind: recordKind.compaction });

/** Index and term of the entries that count. */
async function recovered(): Promise<string[]> {
  const found = await recoverStream(wal, stream);
  const entries: string[] = [];
  for await (const run of recoveredRuns(wal, stream, found)) {
    for (const { index, term } of run) entries.push(`${index}@${term}`);
  }
  expect(found.lastIndex).toBe(found.compactedIndex + entries.length);
  return entries;
}

test('an empty stream begins at entry 1 and term 0', async () => {
  expect(await recoverStream(wal, stream)).toMatchObject({ compactedIndex: 0, term: 0, firstIndex: 1, lastIndex: 0 });
});

test('an entry at or below the last one replaces it and all behind it', async () => {
  for (const [index, term] of [
    [1, 1],
    [2, 1],
    [3, 1],
    [2, 2],
    [3, 2],
  ] as const)
    await entry(index, term);
  expect(await recovered()).toEqual(['1@1', '2@2', '3@2']);
});

test('what lies behind a hole does not count until the hole is filled', async () => {
  for (const [index, term] of [
    [1, 1],
    [3, 1],
    [4, 1],
  ] as const)
    await entry(index, term);
  expect(await recovered()).toEqual(['1@1']);
  await entry(2, 2);
  expect(await recovered()).toEqual(['1@1', '2@2']);
});

test('what lay behind a hole may be the first that a cut left, and is replaced', async () => {
  await entry(7, 1);
  await entry(8, 1);
  await entry(6, 2);
  await entry(7, 2);
  await compaction(5, 1);
  expect(await recovered()).toEqual(['6@2', '7@2']);
});

test('the last compaction says where the needed entries begin; the highest term counts wherever it stands', async () => {
  for (let index = 1; index <= 5; index++) await entry(index, 1);
  await compaction(2, 1);
  await wal.append(encodeHardState(5, 9, 1), { stream, kind: recordKind.hardState });
  await compaction(4, 1);
  expect(await recovered()).toEqual(['5@1']);
  expect(await recoverStream(wal, stream)).toMatchObject({ compactedIndex: 4, compactedTerm: 1, term: 9 });
});

test('a compaction beyond the last entry makes the log go on behind it', async () => {
  for (let index = 1; index <= 3; index++) await entry(index, 1);
  await compaction(7, 1);
  await entry(8, 2);
  await entry(9, 2);
  expect(await recovered()).toEqual(['8@2', '9@2']);
});

test('records of other streams are not looked at', async () => {
  await entry(1, 1);
  await wal.append(Buffer.from('anything'), { stream: stream + 1, kind: 99 });
  expect(await recovered()).toEqual(['1@1']);
});

test('a stream that begins behind its compaction is damaged, and a kind of a newer version is refused', async () => {
  await entry(5, 1);
  await expect(recoverStream(wal, stream)).rejects.toMatchObject({ code: 'CORRUPT' });
  await compaction(4, 1);
  expect(await recovered()).toEqual(['5@1']);
  await wal.append(encodeEmptyEntry(6, 1), { stream, kind: recordKind.snapshot });
  await expect(recoverStream(wal, stream)).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
});

test('a record that is too short or of another version is refused', async () => {
  await wal.append(Buffer.alloc(23), { stream, kind: recordKind.entry });
  await expect(recoverStream(wal, stream)).rejects.toMatchObject({ code: 'CORRUPT' });
  const newer = encodeEmptyEntry(1, 1);
  newer[0] = 2;
  await wal.append(newer, { stream: stream + 1, kind: recordKind.entry });
  await expect(recoverStream(wal, stream + 1)).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
});

test('any order of indexes recovers as a list that is cut and extended', async () => {
  let used = 100;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 30 }), async (indexes) => {
      const own = ++used;
      const model: string[] = [];
      for (const [term, index] of [1, ...indexes].entries()) {
        await wal.append(encodeEmptyEntry(index, term), { stream: own, kind: recordKind.entry });
        if (index <= model.length + 1) model.splice(index - 1, model.length, `${index}@${term}`);
      }
      const found = await recoverStream(wal, own);
      const entries: string[] = [];
      for await (const run of recoveredRuns(wal, own, found))
        for (const { index, term } of run) entries.push(`${index}@${term}`);
      expect(entries).toEqual(model);
    }),
    { seed, numRuns: 100 },
  );
});
