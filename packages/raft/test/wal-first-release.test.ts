import { readFileSync } from 'node:fs';
import { createFaultDisk, createManualClock, type FaultDisk } from '@shanghai/env/testing';
import type { Wal } from '@shanghai/wal';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Entry, emptyConfState, type GroupLog, type HostLog } from '../src/index.js';
import { openWalHostLog } from '../src/wal/index.js';
import { entriesOf, openWalOn, write } from './support/wal-fixture.js';

const clock = createManualClock();
const alone = { ...emptyConfState, voters: [3] };
const kinds = { entry: 1, hardState: 2, compaction: 3 } as const;

/** A record as the first release wrote it. */
function record(
  kind: keyof typeof kinds,
  index: number,
  term: number,
  more: { vote?: number; data?: Uint8Array } = {},
) {
  const { vote, data } = more;
  const tail =
    vote === undefined ? (data ?? new Uint8Array(0)) : Buffer.from(new BigUint64Array([BigInt(vote)]).buffer);
  const payload = Buffer.concat([Buffer.alloc(24), tail]);
  payload[0] = 1;
  payload[1] = kind === 'entry' && data === undefined ? 1 : 0;
  payload.writeBigUInt64LE(BigInt(index), 8);
  payload.writeBigUInt64LE(BigInt(term), 16);
  return { kind: kinds[kind], payload };
}

const stream = 4;

/** A log whose stream 4 holds these records. */
async function logOf(records: readonly { kind: number; payload: Uint8Array }[]): Promise<HostLog> {
  const wal = await openWalOn(createFaultDisk({ seed: 1 }));
  for (const { kind, payload } of records) await wal.append(payload, { stream, kind });
  return await openWalHostLog({ wal, loneVoter: 3, clock });
}

function shown(log: GroupLog): string[] {
  const entries = log.lastIndex() < log.firstIndex() ? [] : log.entries(log.firstIndex(), log.lastIndex() + 1, 1e9);
  return (entries as readonly Entry[]).map(({ index, term }) => `${index}@${term}`);
}

async function openReal(disk: FaultDisk): Promise<{ wal: Wal; log: HostLog }> {
  const wal = await openWalOn(disk);
  return { wal, log: await openWalHostLog({ wal, loneVoter: 3, clock }) };
}

test('a directory of the first release opens: each group has this node as its only voter, and all that was not cut off', async () => {
  const disk = createFaultDisk({ seed: 1 });
  await disk.makeDirectory('/wal');
  const name = '00000000000000000001.wal';
  disk.setContents(`/wal/${name}`, readFileSync(new URL(`../testdata/first-release/wal/${name}`, import.meta.url)));
  const { wal, log } = await openReal(disk);
  expect(log.groups()).toEqual([0, 1]);
  const [zero, one] = [await log.open(0), await log.open(1)];
  expect(zero.initialState()).toEqual({ hardState: { term: 1, vote: 3, commit: 6 }, confState: alone });
  expect([zero.firstIndex(), zero.lastIndex(), zero.term(6)]).toEqual([7, 6, 1]);
  expect(one.initialState()).toEqual({ hardState: { term: 1, vote: 3, commit: 30 }, confState: alone });
  expect(shown(one)).toEqual(['31@1', '32@1', '33@1']);
  const [, , last] = one.entries(31, 34, 1e9) as readonly Entry[];
  expect(last?.data.length).toBe(104 - 24);
  expect(last?.data.subarray(0, 2)).toEqual(Uint8Array.of(1, 1));

  // It goes on in the new form, and is read back as both.
  await one.append(write(entriesOf(34, 2, 2), { term: 2, vote: 3, commit: 33 }));
  await zero.append(write(entriesOf(7, 2), { term: 2, vote: 3, commit: 6 }));
  await one.compact(32, { ...alone, learners: [5] });
  await wal.close();
  const again = await openReal(disk);
  const [zeroAgain, oneAgain] = [await again.log.open(0), await again.log.open(1)];
  expect([...shown(zeroAgain), ...shown(oneAgain)]).toEqual(['7@2', '33@1', '34@2', '35@2']);
  expect(zeroAgain.initialState()).toEqual({ hardState: { term: 2, vote: 3, commit: 6 }, confState: alone });
  expect(oneAgain.initialState()).toEqual({
    hardState: { term: 2, vote: 3, commit: 33 },
    confState: { ...alone, learners: [5] },
  });
  await again.wal.close();
});

test.each([
  [
    'an entry at or below the last one replaces it and all behind it',
    ['1@1', '2@1', '3@1', '2@2', '3@2'],
    ['1@1', '2@2', '3@2'],
  ],
  ['what lies behind a hole does not count', ['1@1', '3@1', '4@1'], ['1@1']],
  ['until the hole is filled', ['1@1', '3@1', '4@1', '2@2'], ['1@1', '2@2']],
])('of the first release: %s', async (_, written, expected) => {
  const records = written.map((text) => {
    const [index, term] = text.split('@').map(Number) as [number, number];
    return record('entry', index, term);
  });
  const log = await (await logOf(records)).open(stream);
  expect(shown(log)).toEqual(expected);
});

test('of the first release: what lay behind a hole may be the first that a cut left', async () => {
  const records = [
    record('entry', 7, 1),
    record('entry', 8, 1),
    record('hardState', 5, 2, { vote: 3 }),
    record('entry', 6, 2),
    record('entry', 7, 2),
    record('compaction', 5, 1),
  ];
  expect(shown(await (await logOf(records)).open(stream))).toEqual(['6@2', '7@2']);
});

test('of the first release: a compaction beyond the last entry makes the log go on behind it', async () => {
  const records = [1, 2, 3].map((index) => record('entry', index, 1));
  records.push(record('compaction', 7, 1), record('entry', 8, 2), record('entry', 9, 2), record('entry', 11, 2));
  const log = await (await logOf(records)).open(stream);
  expect([log.firstIndex(), log.term(7), ...shown(log)]).toEqual([8, 1, '8@2', '9@2']);
});

test('of the first release: indexes in whatever order are a list that is cut and extended', async () => {
  const seed = 77;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 30 }), async (indexes) => {
      const model: string[] = [];
      const records = [1, ...indexes].map((index, term) => {
        if (index <= model.length + 1) model.splice(index - 1, model.length, `${index}@${term}`);
        return record('entry', index, term);
      });
      expect(shown(await (await logOf(records)).open(stream))).toEqual(model);
    }),
    { seed, numRuns: 60 },
  );
});

test.each([
  ['an entry of a type that was reserved', (bytes: Buffer) => bytes.fill(2, 1, 2), 'UNSUPPORTED_FORMAT'],
  ['another version', (bytes: Buffer) => bytes.fill(2, 0, 1), 'UNSUPPORTED_FORMAT'],
  ['an entry 0', (bytes: Buffer) => bytes.fill(0, 8, 16), 'LOG_DAMAGED'],
  ['an index that no number holds', (bytes: Buffer) => bytes.fill(255, 8, 16), 'LOG_DAMAGED'],
])('of the first release: %s is refused', async (_, change, code) => {
  const { kind, payload } = record('entry', 1, 1);
  change(payload);
  await expect((await logOf([{ kind, payload }])).open(stream)).rejects.toMatchObject({ code });
});
