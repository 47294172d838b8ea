import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk, type ManualClock } from '@shanghai/env/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LogGap, LogPage, LogRecord, LogStart } from '../src/logs/log-requests.js';
import type { ShanghaiNode } from '../src/node.js';
import { restore, save } from './backup-harness.js';
import { bytes, createManualClock, openTestNode, quorumLog, request, text } from './core-harness.js';

const seed = 20_261_121;
let node: ShanghaiNode;
let clock: ManualClock;
let disk: ReturnType<typeof createFaultDisk>;

beforeEach(async () => {
  disk = createFaultDisk({ seed });
  clock = createManualClock(1_000_000);
  node = await openTestNode(disk, clock);
});

afterEach(() => node.close(1000));

const compacted = { ...quorumLog, cleanupPolicy: 'compact', tombstoneRetentionMs: 60_000 } as const;
const filler = '.'.repeat(2_000);

function append(key: string, value: string, ...headers: string[]) {
  const record: LogRecord = {
    key: bytes(key),
    value: bytes(value),
    headers: headers.map((name) => ({ name, value: bytes('') })),
  };
  return node.logs.append({ log: 'state', records: [record] }, request());
}

const remove = (key: string) => append(key, '', 'delete');

function read(start: LogStart, limit = 10_000): Promise<LogPage> {
  return node.logs.read({ log: 'state', origin: 0, start, limit, maxBytes: 1 << 24 }, request());
}

/** Everything, page after page: what is there, and what is said not to be. */
async function readAll(limit = 10_000) {
  const entries: { readonly sequence: number; readonly key: string | undefined; readonly value: string | undefined }[] =
    [];
  const gaps: LogGap[] = [];
  for (let from = 1; ; ) {
    const page = await read({ from: 'sequence', sequence: from }, limit);
    for (const { sequence, key, value } of page.entries) entries.push({ sequence, key: text(key), value: text(value) });
    gaps.push(...page.gaps);
    if (page.nextSequence === from) return { entries, gaps, lastSequence: page.lastSequence };
    from = page.nextSequence;
  }
}

async function rounds(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await clock.advance(5_000);
}

const sizeOf = async () => (await node.logs.describe('state', request())).origins[0]?.bytes ?? 0;

test('of every key the last entry stays where it is; what went is told as gaps, and takes little space', async () => {
  await node.logs.create('state', compacted, request());
  for (let i = 0; i < 300; i++) await append(`key-${i % 5}`, `${i}${filler}`);
  const before = await sizeOf();
  await rounds(4);
  const { entries, gaps, lastSequence } = await readAll();
  expect(lastSequence).toBe(300);
  const seen = entries.length + gaps.reduce((sum, gap) => sum + gap.lastSequence - gap.firstSequence + 1, 0);
  expect(seen).toBe(300);
  expect(entries.length).toBeLessThan(60);
  for (let key = 0; key < 5; key++) {
    const last = entries.filter((entry) => entry.key === `key-${key}`).at(-1);
    expect(last).toEqual({ sequence: 296 + key, key: `key-${key}`, value: `${295 + key}${filler}` });
  }
  expect(await sizeOf()).toBeLessThan(before / 3);
  expect(await readAll(3)).toEqual({ entries, gaps: expect.anything(), lastSequence });
  const [time] = (await read({ from: 'time', timeMs: 1_000_000 }, 1)).entries;
  expect(time?.sequence).toBe(entries[0]?.sequence);
  await node.close(1000);
  node = await openTestNode(disk, clock);
  expect(await readAll()).toEqual({ entries, gaps, lastSequence });
  expect((await append('key-0', 'on')).firstSequence).toBe(301);
});

test('a deletion stays readable for a while, and no older value ever shows behind it', async () => {
  await node.logs.create('state', compacted, request());
  for (let i = 0; i < 60; i++) await append(`key-${i}`, filler);
  await remove('key-7');
  const keep = async () => {
    for (let i = 0; i < 100; i++) await append(`other-${i % 3}`, filler);
    await rounds(4);
    return (await readAll()).entries.filter(({ key }) => key === 'key-7');
  };
  expect(await keep()).toEqual([{ sequence: 61, key: 'key-7', value: '' }]);
  await clock.advance(120_000);
  expect(await keep()).toEqual([]);
  await append('key-7', 'back');
  expect((await keep()).map(({ value }) => value)).toEqual(['back']);
});

test('records without a key are refused, and so is compaction of logs with many origins', async () => {
  await node.logs.create('state', compacted, request());
  await expect(append('', 'x')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await expect(node.logs.create('many', { ...compacted, mode: 'multi-master' }, request())).rejects.toMatchObject({
    code: 'UNSUPPORTED',
  });
  await expect(node.logs.create('plain', { ...quorumLog, tombstoneRetentionMs: 5 }, request())).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
  });
});

test('a tail goes on over what compaction takes away', async () => {
  await node.logs.create('state', compacted, request());
  for (let i = 0; i < 200; i++) await append(`key-${i % 2}`, `${i}${filler}`);
  await rounds(4);
  const ending = new AbortController();
  const found: number[] = [];
  const tail = node.logs.tail(
    { log: 'state', origin: 0, start: { from: 'sequence', sequence: 0 } },
    request(ending.signal),
  );
  await append('key-9', 'end');
  for await (const page of tail) {
    found.push(...page.entries.map(({ sequence }) => sequence));
    if (page.nextSequence === 202) ending.abort();
  }
  expect(found.at(-1)).toBe(201);
  expect(found.length).toBeLessThan(60);
  expect(found).toEqual([...found].sort((a, b) => a - b));
});

test('lag counts what is there to be read', async () => {
  await node.logs.create('state', compacted, request());
  for (let i = 0; i < 200; i++) await append('one', `${i}${filler}`);
  await rounds(4);
  const { entries } = await readAll();
  await node.logUpkeep?.commit(
    { log: 'state', consumer: 'c', generation: 0, positions: [{ origin: 0, epoch: 0, sequence: 0 }] },
    request(),
  );
  const view = await node.logUpkeep?.consumer('state', 'c', request());
  expect(view?.lags[0]?.entries).toBe(entries.length);
});

test('a power failure at any moment leaves the last entry of every key, whatever was being rewritten', async () => {
  const random = createSeededRandom(seed);
  const last = new Map<string, string>();
  await node.logs.create('state', { ...compacted, tombstoneRetentionMs: 1_000 }, request());
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 40; i++) {
      const key = `key-${Math.floor(random.float() * 12)}`;
      if (random.float() < 0.15) {
        await remove(key);
        last.delete(key);
      } else {
        const value = `${round}.${i}${filler}`;
        await append(key, value);
        last.set(key, value);
      }
    }
    // Somewhere within a round of compaction.
    const turning = clock.advance(5_000 * (round % 3));
    const turns = Math.floor(random.float() * 40);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    const next = disk.restart('random', round);
    await turning.catch(() => undefined);
    await node.close(0).catch(() => undefined);
    disk = next;
    node = await openTestNode(disk, clock);
    const { entries } = await readAll();
    const state = new Map<string | undefined, string | undefined>();
    for (const { key, value } of entries) {
      if (value === '') state.delete(key);
      else state.set(key, value);
    }
    expect(new Map([...state].sort()), `seed ${seed}, round ${round}`).toEqual(new Map([...last].sort()));
  }
});

test('a backup has what compaction left, and the positions of consumers', async () => {
  await node.logs.create('state', compacted, request());
  for (let i = 0; i < 200; i++) await append(`key-${i % 4}`, `${i}${filler}`);
  const positions = [{ origin: 0, epoch: 0, sequence: 120 }];
  await node.logUpkeep?.commit({ log: 'state', consumer: 'c', generation: 0, positions }, request());
  await rounds(4);
  const before = await readAll();
  expect(before.gaps.length).toBeGreaterThan(0);
  await save(node, disk, 'backup');
  await restore(disk, 'backup', 'restored');
  await node.close(1000);
  node = await openTestNode(disk, clock, { dataDirectory: 'restored' });
  const after = await readAll();
  // Sequence numbers may come again for other entries: that is another epoch.
  expect(after).toEqual({ ...before, gaps: before.gaps.map((gap) => ({ ...gap, epoch: 2 })) });
  const view = await node.logUpkeep?.consumer('state', 'c', request());
  expect(view).toMatchObject({
    generation: 2,
    positions: [{ origin: 0, epoch: 2, sequence: 120 }],
    lags: [{ epoch: 2, entries: after.entries.length }],
  });
});
