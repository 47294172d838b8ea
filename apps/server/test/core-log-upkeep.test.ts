import type { ManualClock } from '@shanghai/env/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LogUpkeepRequests } from '../src/logs/log-upkeep-requests.js';
import type { ShanghaiNode } from '../src/node.js';
import {
  appendTo,
  bytes,
  createManualClock,
  createMemoryDisk,
  openTestNode,
  quorumLog,
  request,
} from './core-harness.js';

let node: ShanghaiNode;
let clock: ManualClock;
let disk: ReturnType<typeof createMemoryDisk>;

beforeEach(async () => {
  disk = createMemoryDisk();
  clock = createManualClock(1_000_000);
  node = await openTestNode(disk, clock);
  await node.logs.create('events', quorumLog, request());
});

afterEach(() => node.close(1000));

const upkeep = () => node.logUpkeep as LogUpkeepRequests;
const at = (sequence: number) => [{ origin: 0, epoch: 1, sequence }];
const commit = (sequence: number, generation = 0, consumer = 'c') =>
  upkeep().commit({ log: 'events', consumer, generation, positions: [{ origin: 0, epoch: 0, sequence }] }, request());

async function restart(): Promise<void> {
  await node.close(1000);
  node = await openTestNode(disk, clock);
}

describe('a consumer', () => {
  beforeEach(async () => {
    for (const value of ['a', 'b', 'c', 'd', 'e']) {
      await appendTo(node, 'events', value);
      await clock.advance(1_000);
    }
  });

  test('keeps its position by maximum within a generation, also over a restart', async () => {
    expect(await commit(3)).toMatchObject({ generation: 1, positions: at(3), earlierPositions: [] });
    expect(await commit(2)).toMatchObject({ generation: 1, positions: at(3), earlierPositions: at(3) });
    await restart();
    expect(await commit(4, 1)).toMatchObject({ generation: 1, positions: at(4) });
    expect(await upkeep().consumer('events', 'c', request())).toMatchObject({ name: 'c', positions: at(4) });
  });

  test('goes back by a seek, which refuses commits of those who have not heard of it', async () => {
    await commit(5);
    const sought = await upkeep().seek(
      { log: 'events', consumer: 'c', to: { at: 'positions', positions: at(1) }, dryRun: false },
      request(),
    );
    expect(sought).toMatchObject({ generation: 2, positions: at(1), earlierPositions: at(5) });
    await expect(commit(5, 1)).rejects.toMatchObject({ code: 'CONFLICT', details: { generation: 2 } });
    expect(await commit(2, 2)).toMatchObject({ generation: 2, positions: at(2) });
  });

  test('seeks to the start, the end and a time; a dry run says where that is and changes nothing', async () => {
    await commit(2);
    const to = async (target: Parameters<LogUpkeepRequests['seek']>[0]['to'], dryRun: boolean) =>
      (await upkeep().seek({ log: 'events', consumer: 'c', to: target, dryRun }, request())).positions;
    expect(await to({ at: 'time', timeMs: 1_002_500 }, true)).toEqual(at(3));
    expect(await to({ at: 'end' }, true)).toEqual(at(5));
    expect(await upkeep().consumer('events', 'c', request())).toMatchObject({ generation: 1, positions: at(2) });
    expect(await to({ at: 'end' }, false)).toEqual(at(5));
    await upkeep().trim({ log: 'events', origin: 0, firstSequence: 4 }, request());
    expect(await to({ at: 'start' }, false)).toEqual(at(3));
    expect((await upkeep().consumer('events', 'c', request())).generation).toBe(3);
  });

  test('is told how far it is behind, in entries and in time, and what was trimmed before it came', async () => {
    await commit(5, 0, 'done');
    await commit(2, 0, 'slow');
    await commit(0, 0, 'idle');
    await upkeep().trim({ log: 'events', origin: 0, firstSequence: 3 }, request());
    const lags = (await upkeep().consumers('events', '', request())).map(({ name, lags: [lag] }) => [name, lag]);
    expect(lags).toEqual([
      ['done', { origin: 0, epoch: 1, entries: 0, lostEntries: 0, milliseconds: 0 }],
      ['idle', { origin: 0, epoch: 1, entries: 3, lostEntries: 2, milliseconds: 3_000 }],
      ['slow', { origin: 0, epoch: 1, entries: 3, lostEntries: 0, milliseconds: 3_000 }],
    ]);
    expect((await upkeep().consumers('events', 'do', request())).length).toBe(1);
  });

  test('is refused positions that are not there: ahead of the log, of another origin or epoch, of no log', async () => {
    await expect(commit(6)).rejects.toMatchObject({ code: 'OUT_OF_RANGE', details: { lastSequence: 5 } });
    const of = (position: { origin: number; epoch: number; sequence: number }, log = 'events') =>
      upkeep().commit({ log, consumer: 'c', generation: 0, positions: [position] }, request());
    await expect(of({ origin: 3, epoch: 1, sequence: 1 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(of({ origin: 0, epoch: 2, sequence: 1 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(of({ origin: 0, epoch: 0, sequence: 1 }, 'no')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(commit(1, 0, 'a/b')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(commit(1, 3)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(upkeep().consumer('events', 'c', request())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('is forgotten when it is deleted, and with its log', async () => {
    await commit(2);
    await upkeep().deleteConsumer('events', 'c', request());
    await upkeep().deleteConsumer('events', 'c', request());
    expect(await upkeep().consumers('events', '', request())).toEqual([]);
    await commit(1);
    await node.logs.delete('events', request());
    await node.logs.create('events', quorumLog, request());
    expect(await upkeep().consumers('events', '', request())).toEqual([]);
    await restart();
    expect(await upkeep().consumers('events', '', request())).toEqual([]);
  });
});

test('a producer is told where it is to go on', async () => {
  const record = { key: bytes(''), value: bytes('v'), headers: [] };
  const ask = () => upkeep().producer({ log: 'events', origin: 0, producerId: 7 }, request());
  expect(await ask()).toBeUndefined();
  await appendTo(node, 'events', 'other');
  const producer = { producerId: 7, epoch: 3, sequence: 1 };
  await node.logs.append({ log: 'events', records: [record, record], producer }, request());
  const expected = { epoch: 3, lastSequence: 2, logSequence: 3, timeMs: 1_000_000 };
  expect(await ask()).toEqual(expected);
  await restart();
  expect(await ask()).toEqual(expected);
});

describe('a log', () => {
  const sequences = async (start: Parameters<typeof node.logs.read>[0]['start']) => {
    const page = await node.logs.read({ log: 'events', origin: 0, start, limit: 100, maxBytes: 1 << 20 }, request());
    return page.entries.map(({ sequence }) => sequence);
  };

  test('is trimmed by hand: never beyond its end, and readers of what is gone are told where it begins', async () => {
    for (const value of ['a', 'b', 'c']) await appendTo(node, 'events', value);
    const trim = (firstSequence: number) => upkeep().trim({ log: 'events', origin: 0, firstSequence }, request());
    expect(await trim(2)).toEqual({ firstSequence: 2, lastSequence: 3 });
    expect(await trim(1)).toEqual({ firstSequence: 2, lastSequence: 3 });
    await expect(sequences({ from: 'sequence', sequence: 1 })).rejects.toMatchObject({
      code: 'OUT_OF_RANGE',
      details: { firstSequence: 2, lastSequence: 3 },
    });
    expect(await trim(99)).toEqual({ firstSequence: 4, lastSequence: 3 });
    expect((await appendTo(node, 'events', 'd')).firstSequence).toBe(4);
    await expect(trim(0)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });

  test('is read from its last entries on', async () => {
    for (const value of ['a', 'b', 'c']) await appendTo(node, 'events', value);
    expect(await sequences({ from: 'last', entries: 2 })).toEqual([2, 3]);
    expect(await sequences({ from: 'last', entries: 9 })).toEqual([1, 2, 3]);
    expect(await sequences({ from: 'last', entries: 0 })).toEqual([]);
  });

  test('keeps so many entries, where it was made so', async () => {
    await node.logs.create('short', { ...quorumLog, retentionEntries: 3 }, request());
    for (let i = 0; i < 10; i++) await appendTo(node, 'short', `${i}`);
    await clock.advance(2_000);
    await appendTo(node, 'events', 'turn');
    const { origins } = await node.logs.describe('short', request());
    expect(origins).toMatchObject([{ firstSequence: 8, lastSequence: 10 }]);
    await expect(node.logs.create('short', { ...quorumLog, retentionEntries: 4 }, request())).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    });
  });
});

describe('a log that every node writes', () => {
  const settings = { ...quorumLog, mode: 'multi-master', acknowledgement: 'local' } as const;
  const vector = (sequence: number) => [{ origin: 1, epoch: 1, sequence }];

  beforeEach(async () => {
    await node.logs.create('many', settings, request());
    for (const value of ['a', 'b', 'c']) await appendTo(node, 'many', value);
  });

  test('keeps consumers by origin and epoch, with their lag, over a restart', async () => {
    const commit = (sequence: number, epoch = 0) =>
      upkeep().commit(
        { log: 'many', consumer: 'c', generation: 0, positions: [{ origin: 1, epoch, sequence }] },
        request(),
      );
    const { epoch } = (await node.logs.describe('many', request())).origins[0] ?? { epoch: 0 };
    const at = (sequence: number) => vector(sequence).map((position) => ({ ...position, epoch }));
    expect(await commit(2)).toMatchObject({ generation: 1, positions: at(2) });
    await restart();
    expect(await upkeep().consumer('many', 'c', request())).toMatchObject({
      positions: at(2),
      lags: [{ origin: 1, epoch, entries: 1, lostEntries: 0 }],
    });
    const sought = await upkeep().seek({ log: 'many', consumer: 'c', to: { at: 'end' }, dryRun: false }, request());
    expect(sought).toMatchObject({ generation: 2, positions: at(3), earlierPositions: at(2) });
    const back = { log: 'many', consumer: 'c', to: { at: 'time', timeMs: 0 }, dryRun: true } as const;
    expect(await upkeep().seek(back, request())).toMatchObject({ positions: at(0) });
    const none = [{ origin: 0, epoch: 0, sequence: 1 }];
    await expect(
      upkeep().commit({ log: 'many', consumer: 'c', generation: 0, positions: none }, request()),
    ).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(upkeep().consumer('many', 'x', request())).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(upkeep().trim({ log: 'many', origin: 0, firstSequence: 2 }, request())).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    });
  });

  test('has none any more when it was deleted, nor has one of its name', async () => {
    const positions = [{ origin: 1, epoch: 0, sequence: 1 }];
    await upkeep().commit({ log: 'many', consumer: 'c', generation: 0, positions }, request());
    await node.logs.delete('many', request());
    await clock.advance(2_000);
    await expect(upkeep().consumer('many', 'c', request())).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await node.logs.create('many', settings, request());
    expect(await upkeep().consumers('many', '', request())).toEqual([]);
    await restart();
    expect(await upkeep().consumers('many', '', request())).toEqual([]);
  });
});
