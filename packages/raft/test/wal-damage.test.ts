import { createFaultDisk, createManualClock, type FaultDisk } from '@shanghai/env/testing';
import type { Wal } from '@shanghai/wal';
import { expect, test } from 'vitest';
import { type Entry, emptyConfState, type GroupLog } from '../src/index.js';
import { openWalHostLog } from '../src/wal/index.js';
import { WriteEncoder, writeKind } from '../src/wal/write-record.js';
import { entriesOf, entryOf, openWalOn, write } from './support/wal-fixture.js';

const clock = createManualClock();
const openOn = (wal: Wal) => openWalHostLog({ wal, loneVoter: 1, clock });

function entriesIn(log: GroupLog): readonly Entry[] {
  return log.lastIndex() < log.firstIndex()
    ? []
    : (log.entries(log.firstIndex(), log.lastIndex() + 1, 1e9) as readonly Entry[]);
}

async function written(seed: number): Promise<{ disk: FaultDisk; entries: Entry[] }> {
  const disk = createFaultDisk({ seed });
  const wal = await openWalOn(disk);
  const log = await openOn(wal);
  const group = await log.open(1);
  const other = await log.open(2);
  const entries = Array.from({ length: 20 }, (_, i) => entryOf(i + 1, 1 + (i >> 3), 20 + ((i * 37) % 400)));
  for (const entry of entries) {
    await group.append(write([entry], { term: entry.term, vote: 1, commit: entry.index - 1 }));
    await other.append(write([entry]));
  }
  await wal.close();
  return { disk, entries };
}

test('damage anywhere is an error, or a log whose end was never stated as durable: never a wrong entry, never a gap [T26]', async () => {
  const { disk: sound, entries } = await written(1);
  const name = sound.files().find((file) => file.endsWith('0001.wal')) as string;
  const size = sound.contents(name).length;
  const found = { refused: 0, whole: 0, cut: 0 };
  for (let at = 7; at < size; at += 61) {
    const disk = sound.afterCrash('all', at);
    disk.corrupt(name, at, 1 << (at % 8));
    try {
      const wal = await openWalOn(disk);
      try {
        const log = await (await openOn(wal)).open(1);
        const kept = entriesIn(log);
        expect(kept.map(({ index, term, data }) => [index, term, ...data])).toEqual(
          entries.slice(0, kept.length).map(({ index, term, data }) => [index, term, ...data]),
        );
        found[kept.length === entries.length ? 'whole' : 'cut']++;
      } finally {
        await wal.close();
      }
    } catch (error) {
      const { code } = error as { code?: string };
      expect(['CORRUPT', 'LOG_DAMAGED', 'UNSUPPORTED_FORMAT'], `byte ${at}: ${error}`).toContain(code);
      found.refused++;
    }
  }
  expect(found.refused).toBeGreaterThan(50);
  // The log was closed in order: all of it was stated as durable.
  expect(found.cut).toBe(0);
});

const three = { ...emptyConfState, voters: [1, 2, 3] };
const encoder = new WriteEncoder();
type Part = Parameters<WriteEncoder['encode']>[1];

const only = (part: Partial<Part>): Part => ({ hardState: undefined, base: undefined, entries: [], ...part });

test.each<[string, readonly (readonly [number, Part])[]]>([
  ['a log without its beginning', [[1, only({ entries: entriesOf(5, 1) })]]],
  [
    'a stream without its first writes, of which nothing says what became of them',
    [[4, only({ entries: entriesOf(1, 1) })]],
  ],
  [
    'entries that leave a gap',
    [
      [1, only({ entries: entriesOf(1, 1) })],
      [2, only({ entries: entriesOf(3, 1) })],
    ],
  ],
  [
    'terms that fall',
    [
      [1, only({ entries: entriesOf(1, 2) })],
      [2, only({ entries: entriesOf(2, 1) })],
    ],
  ],
  [
    'a write that was there before',
    [
      [1, only({ entries: entriesOf(1, 1) })],
      [2, only({})],
      [2, only({ entries: entriesOf(2, 1) })],
    ],
  ],
  [
    'a compaction beyond the end',
    [
      [1, only({ entries: entriesOf(1, 1) })],
      [2, only({ base: { kind: 'compaction', index: 2, term: 1, confState: three } })],
    ],
  ],
  [
    'a compaction of another term',
    [
      [1, only({ entries: entriesOf(1, 1, 1) })],
      [2, only({ base: { kind: 'compaction', index: 2, term: 3, confState: three } })],
    ],
  ],
  [
    'a compaction behind which entries are missing',
    [
      [7, only({ base: { kind: 'compaction', index: 2, term: 1, confState: three } })],
      [8, only({ entries: entriesOf(4, 1) })],
    ],
  ],
  [
    'an entry before the start',
    [
      [1, only({ base: { kind: 'snapshot', index: 4, term: 1, confState: three } })],
      [2, only({ entries: entriesOf(4, 1) })],
    ],
  ],
  [
    'a snapshot that goes back',
    [
      [1, only({ base: { kind: 'snapshot', index: 4, term: 1, confState: three } })],
      [2, only({ base: { kind: 'snapshot', index: 3, term: 1, confState: three } })],
    ],
  ],
])('%s is damage, of this group alone', async (_, writes) => {
  const wal = await openWalOn(createFaultDisk({ seed: 1 }));
  for (const [number, part] of writes) {
    for (const { payload } of encoder.encode(number, part)) await wal.append(payload, { stream: 1, kind: writeKind });
  }
  await wal.append(encoder.encode(1, only({ entries: entriesOf(1, 1) }))[0]?.payload ?? new Uint8Array(), {
    stream: 2,
    kind: writeKind,
  });
  const log = await openOn(wal);
  expect(log.groups()).toEqual([1, 2]);
  await expect(log.open(1)).rejects.toMatchObject({ code: 'LOG_DAMAGED' });
  expect(entriesIn(await log.open(2))).toHaveLength(1);
  await wal.close();
});

test.each<[string, (payload: Uint8Array) => { payload: Uint8Array; kind?: number }]>([
  ['a kind of record', (payload) => ({ payload, kind: 7 })],
  ['a version', (payload) => ({ payload: payload.with(0, 3) })],
  ['a flag', (payload) => ({ payload: payload.with(1, 64) })],
  ['a type of entry', (payload) => ({ payload: payload.with(payload.length - 12 - 4, 9) })],
])('%s that is not known is refused as newer, of this group alone, and nothing of it is let go', async (_, change) => {
  const wal = await openWalOn(createFaultDisk({ seed: 1 }));
  const payload = Uint8Array.from(encoder.encode(1, only({ entries: entriesOf(1, 1) }))[0]?.payload ?? []);
  const changed = change(payload);
  await wal.append(changed.payload, { stream: 1, kind: changed.kind ?? writeKind });
  await wal.append(payload, { stream: 2, kind: writeKind });
  const log = await openOn(wal);
  await expect(log.open(1)).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
  expect(entriesIn(await log.open(2))).toHaveLength(1);
  expect(wal.pins()[0]?.streams.find(({ stream }) => stream === 1)?.released).toBe(0);
  await wal.close();
});

test('records of reserved streams are left alone', async () => {
  const wal = await openWalOn(createFaultDisk({ seed: 1 }));
  await wal.append(Buffer.from('anything'), { stream: 2 ** 24, kind: 99 });
  expect((await openOn(wal)).groups()).toEqual([]);
  await wal.close();
});
