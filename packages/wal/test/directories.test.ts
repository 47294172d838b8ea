/**
 * Whole files in the wrong place: swapped, doubled under another name, removed, emptied, from another log, from a newer
 * program. A log that opens gives every record as it was appended, or says which it cannot; or it is refused with a typed
 * error. What may be missing without a refusal is named here, too: the first and the last segment of a log leave no
 * trace when somebody takes them away.
 */
import { crc32 } from '@shanghai/env';
import { createFaultDisk, type FaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { WalError } from '../src/index.js';
import { openOn } from './support/open-on.js';
import { recordPayload } from './support/record-payload.js';

const headerBytes = 4096;
const sizes = Array.from({ length: 110 }, (_, i) => 300 + ((i * 977) % 1700));

/** A log of several segments, by file; each call makes another log of the same shape. */
async function logFiles(mark = 0): Promise<Map<string, Uint8Array>> {
  const disk = createFaultDisk({ seed: 3 });
  const wal = await openOn(disk, { lock: false, segmentsAhead: 0 });
  for (const [i, bytes] of sizes.entries()) await wal.append(recordPayload(i + 1, bytes).map((byte) => byte ^ mark));
  await wal.close();
  return new Map(disk.files().map((path) => [path, disk.contents(path)]));
}

interface Outcome {
  readonly kind: 'whole' | 'refused' | 'unreadable' | 'cut and reported' | 'shorter';
  readonly code?: string;
  readonly first?: number;
  readonly last?: number;
}

/** Opens a directory with these files. Throws where a record is given that was not appended to this log. */
async function outcomeOf(files: ReadonlyMap<string, Uint8Array>): Promise<Outcome> {
  const disk: FaultDisk = createFaultDisk({ seed: 4 });
  await disk.makeDirectory('/log');
  for (const [path, bytes] of files) disk.setContents(path, bytes);
  const wal = await openOn(disk, { lock: false }).catch((error: unknown) => {
    if (error instanceof WalError && (error.code === 'CORRUPT' || error.code === 'UNSUPPORTED_FORMAT')) return error;
    throw error;
  });
  if (wal instanceof WalError) return { kind: 'refused', code: wal.code };
  const { firstLsn: first, lastLsn: last, tornTail } = wal.info();
  let unreadable = 0;
  for (let lsn = first; lsn <= last; lsn++) {
    try {
      const entry = await wal.read(lsn);
      const expected = recordPayload(lsn, sizes[lsn - 1] as number);
      if (Buffer.compare(entry?.payload ?? Buffer.of(), expected) !== 0) throw new Error(`record ${lsn} is another's`);
    } catch (error) {
      if (!(error instanceof WalError && error.code === 'CORRUPT')) throw error;
      unreadable++;
    }
  }
  await wal.close();
  if (unreadable > 0) return { kind: 'unreadable' };
  if (tornTail !== undefined) return { kind: 'cut and reported', first, last };
  return { kind: first === 1 && last === sizes.length ? 'whole' : 'shorter', first, last };
}

/** Gives every case a name, so that a failure says which one it was. */
async function expectAll(
  cases: readonly (readonly [string, ReadonlyMap<string, Uint8Array>])[],
  allowed: readonly Outcome['kind'][],
): Promise<void> {
  for (const [name, files] of cases) {
    const outcome = await outcomeOf(files).catch((error: unknown) => {
      throw new Error(`${name}: ${error}`, { cause: error });
    });
    expect(allowed, `${name}: ${JSON.stringify(outcome)}`).toContain(outcome.kind);
  }
}

function segmentsOf(files: ReadonlyMap<string, Uint8Array>): string[] {
  return [...files.keys()].filter((path) => path.endsWith('.wal')).sort();
}

/** The header of one file before the frames of another. */
function withBody(own: Uint8Array, other: Uint8Array): Uint8Array {
  const bytes = other.slice();
  bytes.set(own.subarray(0, headerBytes));
  return bytes;
}

test('the untouched directory opens whole', async () => {
  const files = await logFiles();
  expect(segmentsOf(files).length).toBeGreaterThan(3);
  expect(await outcomeOf(files)).toMatchObject({ kind: 'whole' });
});

test('two segments that changed places are refused', async () => {
  const files = await logFiles();
  const names = segmentsOf(files);
  const cases = names.flatMap((a, i) =>
    names.slice(i + 1).map((b): [string, Map<string, Uint8Array>] => {
      const bytes = (name: string) => files.get(name) as Uint8Array;
      return [`${a} and ${b}`, new Map(files).set(a, bytes(b)).set(b, bytes(a))];
    }),
  );
  await expectAll(cases, ['refused']);
});

test('a segment that is there twice, under another name, is refused', async () => {
  const files = await logFiles();
  const cases = segmentsOf(files).flatMap((name) =>
    ['00000000000000000002', '00000000000000000111', '00000000000000009999'].map(
      (copy): [string, Map<string, Uint8Array>] => [
        `${name} as ${copy}`,
        new Map(files).set(`/log/${copy}.wal`, files.get(name) as Uint8Array),
      ],
    ),
  );
  await expectAll(cases, ['refused']);
});

test('a segment that is gone between two others, and one that is empty, is refused', async () => {
  const files = await logFiles();
  const names = segmentsOf(files);
  const cases = names.slice(1, -1).map((name): [string, Map<string, Uint8Array>] => {
    const fewer = new Map(files);
    fewer.delete(name);
    return [`${name} gone`, fewer];
  });
  for (const name of names) cases.push([`${name} empty`, new Map(files).set(name, new Uint8Array(0))]);
  await expectAll(cases, ['refused']);
});

test('without its first segments a log begins later, without its last ones it ends earlier, and says where', async () => {
  const files = await logFiles();
  const names = segmentsOf(files);
  const without = (gone: string | undefined) => new Map([...files].filter(([name]) => name !== gone));
  const beheaded = await outcomeOf(without(names[0]));
  expect(beheaded).toMatchObject({ kind: 'shorter', first: Number(names[1]?.slice(5, 25)), last: sizes.length });
  const shortened = await outcomeOf(without(names.at(-1)));
  expect(shortened).toMatchObject({ kind: 'shorter', first: 1, last: Number(names.at(-1)?.slice(5, 25)) - 1 });
});

test('a segment of another log in the place of one is refused', async () => {
  const [files, other] = [await logFiles(), await logFiles(0x55)];
  const names = segmentsOf(files);
  expect(segmentsOf(other)).toEqual(names);
  const cases = names.map((name): [string, Map<string, Uint8Array>] => [
    name,
    new Map(files).set(name, other.get(name) as Uint8Array),
  ]);
  await expectAll(cases, ['refused']);
});

test("another log's frames behind a segment's own header are never given as its own", async () => {
  const [files, other] = [await logFiles(), await logFiles(0x55)];
  const names = segmentsOf(files);
  const cases = names.map((name): [string, Map<string, Uint8Array>] => [
    name,
    new Map(files).set(name, withBody(files.get(name) as Uint8Array, other.get(name) as Uint8Array)),
  ]);
  // Of the last segment nothing is left that could prove what it held: it is copied aside, cut, and reported.
  await expectAll(cases.slice(0, -1), ['refused']);
  await expectAll(cases.slice(-1), ['refused', 'cut and reported']);
});

test('a segment of a newer program is refused for what it is', async () => {
  const files = await logFiles();
  for (const name of segmentsOf(files)) {
    for (const [at, value] of [
      [8, 2],
      [15, 0x80],
    ] as const) {
      const bytes = (files.get(name) as Uint8Array).slice();
      bytes[at] = value;
      const crc = crc32(bytes, 0, 0, headerBytes - 4);
      new DataView(bytes.buffer).setUint32(headerBytes - 4, crc, true);
      const outcome = await outcomeOf(new Map(files).set(name, bytes));
      expect(outcome, name).toEqual({ kind: 'refused', code: 'UNSUPPORTED_FORMAT' });
    }
  }
});

test('files that are no part of a log are left alone', async () => {
  const files = await logFiles();
  const strange = new Map(files);
  for (const name of ['notes.txt', '1.wal', '0.wal', 'x.wal', '99999999999999999999.wal', 'MANIFEST']) {
    strange.set(`/log/${name}`, Buffer.from('not a segment'));
  }
  expect(await outcomeOf(strange)).toMatchObject({ kind: 'whole' });
});

test('bytes of a torn tail that were cut do not come back when the log has grown past them', async () => {
  const disk = createFaultDisk({ seed: 5 });
  const wal = await openOn(disk, { lock: false, durability: 'never' });
  for (let lsn = 1; lsn <= 6; lsn++) await wal.append(recordPayload(lsn, 200));
  // The process dies; the first record's frame is torn, those behind it are whole.
  const [path] = disk.files().filter((name) => name.endsWith('.wal'));
  const torn = disk.restart('all');
  torn.corrupt(path as string, headerBytes + 60, 0x10);
  const opened = await openOn(torn, { lock: false, durability: 'never' });
  expect(opened.info()).toMatchObject({ lastLsn: 0, tornTail: { segment: '00000000000000000001.wal' } });
  await opened.append(recordPayload(1, 200));
  const again = await openOn(torn.restart('all'), { lock: false });
  expect(again.info().lastLsn).toBe(1);
  await again.close();
});
