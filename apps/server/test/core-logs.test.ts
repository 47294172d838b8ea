import type { ManualClock } from '@shanghai/env/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeLogRecords } from '../src/apply/log-record-codec.js';
import type { LogPage, LogRead, LogStart } from '../src/logs/log-requests.js';
import type { ShanghaiNode } from '../src/node.js';
import {
  appendTo,
  bytes,
  createManualClock,
  createMemoryDisk,
  openTestNode,
  put,
  quorumLog,
  readLog,
  request,
  smallOptions,
  text,
} from './core-harness.js';

let node: ShanghaiNode;
let clock: ManualClock;
let disk: ReturnType<typeof createMemoryDisk>;

beforeEach(async () => {
  disk = createMemoryDisk();
  clock = createManualClock(1_000_000);
  node = await openTestNode(disk, clock);
});

afterEach(() => node.close(1000));

function read(start: LogStart, more: Partial<LogRead> = {}): Promise<LogPage> {
  return node.logs.read({ log: 'events', origin: 0, start, limit: 1000, maxBytes: 1 << 20, ...more }, request());
}

const from = (sequence: number): LogStart => ({ from: 'sequence', sequence });

test('sequences begin at 1, records come back with key, headers, time and producer', async () => {
  await node.logs.create('events', quorumLog, request());
  const headers = [{ name: 'trace', value: bytes('t') }];
  const record = { key: bytes('k'), value: bytes('v'), headers };
  const producer = { producerId: 4, epoch: 1, sequence: 1 };
  const appended = await node.logs.append({ log: 'events', records: [record, record], producer }, request());
  expect(appended).toEqual({
    origin: 0,
    epoch: 1,
    firstSequence: 1,
    lastSequence: 2,
    timeMs: 1_000_000,
    duplicate: false,
  });
  const { entries, nextSequence } = await read(from(0));
  expect(nextSequence).toBe(3);
  expect(entries.map(({ sequence, timeMs, producer: by }) => ({ sequence, timeMs, by }))).toEqual([
    { sequence: 1, timeMs: 1_000_000, by: { producerId: 4, epoch: 1, sequence: 1 } },
    { sequence: 2, timeMs: 1_000_000, by: { producerId: 4, epoch: 1, sequence: 2 } },
  ]);
  expect(text(entries[0]?.headers[0]?.value)).toBe('t');
  const again = await node.logs.append({ log: 'events', records: [record, record], producer }, request());
  expect(again).toEqual({ ...appended, duplicate: true });
  expect((await read(from(0))).entries.length).toBe(2);
});

test('a log is made once; other settings and unknown names are told apart', async () => {
  const made = await node.logs.create('events', quorumLog, request());
  expect(await node.logs.create('events', quorumLog, request())).toEqual(made);
  const other = { ...quorumLog, retentionMs: 5 };
  await expect(node.logs.create('events', other, request())).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  await expect(node.logs.create('', quorumLog, request())).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await expect(node.logs.create('..', quorumLog, request())).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await expect(node.logs.create('a/b', quorumLog, request())).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  const compact = { ...quorumLog, mode: 'multi-master', cleanupPolicy: 'compact' } as const;
  await expect(node.logs.create('c', compact, request())).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  await expect(appendTo(node, 'nothing', 'x')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(node.logs.describe('nothing', request())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(node.logs.delete('nothing', request())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(node.logs.append({ log: 'events', records: [] }, request())).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
  });
  await node.logs.create('other', quorumLog, request());
  expect((await node.logs.list('', request())).map((log) => log.name)).toEqual(['events', 'other']);
  expect((await node.logs.list('ev', request())).map((log) => log.name)).toEqual(['events']);
});

test('a request whose framing alone is too much is refused, and the node goes on', async () => {
  await node.close(1000);
  const mib = 1024 * 1024;
  const limits = { maxValueBytes: mib, maxRequestBytes: mib, maxOperations: 1000, maxProposalBytes: 4 * mib };
  node = await openTestNode(disk, clock, { limits });
  await node.logs.create('events', quorumLog, request());
  const headers = Array.from({ length: 64 }, () => ({ name: 'h', value: bytes('') }));
  const records = Array.from({ length: 1000 }, () => ({ key: bytes(''), value: bytes('v'.repeat(800)), headers }));
  const refused = node.logs.append({ log: 'events', records }, request());
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  const whole = { key: bytes(''), value: bytes('v'.repeat(mib - 100)), headers: [] };
  expect(await node.logs.append({ log: 'events', records: [whole] }, request())).toMatchObject({ lastSequence: 1 });
  expect((await readLog(node, 'events'))[0]?.length).toBe(mib - 100);
});

test('reading beyond the end or before 1 is out of range with what there is; the end itself is an empty page', async () => {
  await node.logs.create('events', quorumLog, request());
  await appendTo(node, 'events', 'a', 'b');
  expect((await read(from(3))).entries).toEqual([]);
  await expect(read(from(4))).rejects.toMatchObject({
    code: 'OUT_OF_RANGE',
    details: { firstSequence: 1, lastSequence: 2 },
  });
  expect((await read(from(1), { limit: 1 })).nextSequence).toBe(2);
  expect((await read(from(1), { maxBytes: 1 })).entries.length).toBe(1);
  await expect(read(from(1), { limit: 0 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await expect(read(from(1), { origin: 9 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});

test('reading by time finds the first entry at or after it, also within one run', async () => {
  await node.logs.create('events', quorumLog, request());
  for (const value of ['a', 'b', 'c']) {
    await appendTo(node, 'events', value);
    await clock.advance(100);
  }
  const at = async (timeMs: number) => text((await read({ from: 'time', timeMs })).entries[0]?.value);
  expect(await at(0)).toBe('a');
  expect(await at(1_000_000)).toBe('a');
  expect(await at(1_000_001)).toBe('b');
  expect(await at(1_000_200)).toBe('c');
  expect(await at(1_000_201)).toBeUndefined();
  // After a restart too, where the files were written by another process.
  await node.close(1000);
  node = await openTestNode(disk, clock);
  expect(await at(1_000_001)).toBe('b');
});

test('an expected last sequence that does not hold leaves the log as it was', async () => {
  await node.logs.create('events', quorumLog, request());
  const records = [{ key: bytes(''), value: bytes('x'), headers: [] }];
  const expecting = (expectedLastSequence: number) =>
    node.logs.append({ log: 'events', records, expectedLastSequence }, request());
  const both = await Promise.allSettled([expecting(0), expecting(0)]);
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  await expect(expecting(0)).rejects.toMatchObject({ code: 'CONFLICT', details: { lastSequence: 1 } });
  expect(await readLog(node, 'events')).toEqual(['x']);
});

test('a pack is appended without what breaks a limit, and behind a restart it is as it was', async () => {
  await node.logs.create('events', quorumLog, request());
  await node.logs.create('keyed', { ...quorumLog, cleanupPolicy: 'compact' }, request());
  await appendTo(node, 'events', 'a');
  const plain = (value: string, key = '') => ({ key: bytes(key), value: bytes(value), headers: [] });
  const headed = { key: bytes('k'), value: bytes('c'), headers: [{ name: 'h', value: bytes('x') }] };
  const nameless = { ...headed, headers: [{ name: '', value: bytes('x') }] };
  const pack = {
    log: 'events',
    records: encodeLogRecords([plain('b'), nameless, headed, plain('d')]),
    counts: [1, 1, 2],
  };
  const { ranges } = await node.logs.appendPack(pack, request());
  expect(ranges).toMatchObject([
    { appends: 1, firstSequence: 2, timeMs: 1_000_000 },
    { appends: 1, error: { code: 'INVALID_REQUEST' } },
    { appends: 1, firstSequence: 3 },
  ]);
  const keyed = { log: 'keyed', records: encodeLogRecords([plain('x', 'k'), plain('y')]), counts: [] };
  const [kept, refused] = (await node.logs.appendPack(keyed, request())).ranges;
  expect([kept?.error, refused?.error?.code]).toEqual([undefined, 'INVALID_REQUEST']);
  await expect(node.logs.appendPack({ ...pack, log: 'none' }, request())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await node.close(1000);
  node = await openTestNode(disk, clock);
  expect(await readLog(node, 'events')).toEqual(['a', 'b', 'c', 'd']);
  expect((await read(from(3))).entries[0]?.headers.map(({ name }) => name)).toEqual(['h']);
});

test('a tail gives what is there, then what comes, and reads no further than its consumer', async () => {
  await node.logs.create('events', quorumLog, request());
  await appendTo(node, 'events', 'a', 'b');
  const stop = new AbortController();
  const tail = node.logs.tail({ log: 'events', origin: 0, start: from(2) }, request(stop.signal));
  const pages = tail[Symbol.asyncIterator]();
  const values = async () => ((await pages.next()).value as LogPage).entries.map((entry) => text(entry.value));
  expect(await values()).toEqual(['b']);
  const next = values();
  await appendTo(node, 'events', 'c');
  expect(await next).toEqual(['c']);
  await appendTo(node, 'events', 'd');
  await appendTo(node, 'events', 'e');
  expect(await values()).toEqual(['d', 'e']);
  const end = pages.next();
  stop.abort();
  expect((await end).done).toBe(true);
});

test('a tail from the end sees only what is appended later, and ends when its log is deleted', async () => {
  await node.logs.create('events', quorumLog, request());
  await appendTo(node, 'events', 'a');
  const pages = node.logs.tail({ log: 'events', origin: 0, start: { from: 'end' } }, request())[Symbol.asyncIterator]();
  const next = pages.next();
  // The tail finds its start before the append: both go through the same files in order.
  await node.logs.read({ log: 'events', origin: 0, start: from(1), limit: 1, maxBytes: 1 }, request());
  await appendTo(node, 'events', 'b');
  expect(((await next).value as LogPage).entries.map((entry) => text(entry.value))).toEqual(['b']);
  const ended = pages.next();
  await node.logs.delete('events', request());
  await expect(ended).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a deleted log is gone, its name can be used again, its files go with the next checkpoint', async () => {
  const { logId } = await node.logs.create('events', quorumLog, request());
  await appendTo(node, 'events', 'a');
  await node.logs.delete('events', request());
  await expect(read(from(1))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const again = await node.logs.create('events', quorumLog, request());
  expect(again.logId).not.toBe(logId);
  await appendTo(node, 'events', 'b');
  await node.checkpoint();
  const logs = disk.files().filter((path) => path.includes('/logs/'));
  expect(logs.every((path) => path.includes(`/logs/${again.logId}/`))).toBe(true);
  expect(await readLog(node, 'events')).toEqual(['b']);
});

test('a log of mode multi-master takes appends under this node’s origin', async () => {
  const settings = { ...quorumLog, mode: 'multi-master', acknowledgement: 'local' } as const;
  await node.logs.create('local', settings, request());
  expect(await appendTo(node, 'local', 'a')).toMatchObject({ origin: 1, epoch: 1, firstSequence: 1 });
  const page = await node.logs.read({ log: 'local', origin: 1, start: from(1), limit: 10, maxBytes: 1000 }, request());
  expect(page.entries[0]).toMatchObject({ origin: 1, epoch: 1, sequence: 1 });
});

test('retention by size drops whole segments, and readers of what went are told the first position', async () => {
  await node.logs.create('events', { ...quorumLog, retentionBytes: 100_000 }, request());
  const value = 'v'.repeat(10_000);
  for (let i = 0; i < 40; i++) await appendTo(node, 'events', value);
  await clock.advance(1000);
  await node.checkpoint();
  const { origins } = await node.logs.describe('events', request());
  expect(origins[0]?.firstSequence).toBeGreaterThan(1);
  expect(origins[0]?.lastSequence).toBe(40);
  await expect(read(from(1))).rejects.toMatchObject({
    code: 'OUT_OF_RANGE',
    details: { firstSequence: origins[0]?.firstSequence, lastSequence: 40 },
  });
  await node.close(1000);
  node = await openTestNode(disk, clock);
  expect((await read(from(0))).firstSequence).toBe(origins[0]?.firstSequence);
  expect((await node.logs.describe('events', request())).origins[0]?.bytes).toBeLessThan(250_000);
});

test('retention by time drops segments whose last entry is too old', async () => {
  await node.logs.create('events', { ...quorumLog, retentionMs: 10_000 }, request());
  const value = 'v'.repeat(10_000);
  for (let i = 0; i < 20; i++) await appendTo(node, 'events', value);
  const first = async () => (await node.logs.describe('events', request())).origins[0]?.firstSequence;
  await clock.advance(5000);
  expect(await first()).toBe(1);
  await clock.advance(20_000);
  expect(await first()).toBeGreaterThan(1);
  expect(await first()).toBeLessThanOrEqual(20);
});

test('hundreds of logs share a few open files', async () => {
  await node.close(1000);
  node = await openTestNode(disk, clock, { limits: { openLogs: 4 } });
  for (let i = 0; i < 30; i++) {
    await node.logs.create(`log-${i}`, quorumLog, request());
    await appendTo(node, `log-${i}`, `first-${i}`);
  }
  for (let i = 0; i < 30; i++) await appendTo(node, `log-${i}`, `second-${i}`);
  for (let i = 0; i < 30; i++) expect(await readLog(node, `log-${i}`)).toEqual([`first-${i}`, `second-${i}`]);
});

test('the log is cut behind a checkpoint and never past what is durable', async () => {
  await node.close(1000);
  const checkpoints: { groupId: number; durableAppliedIndex: number }[] = [];
  node = await openTestNode(disk, clock, {
    ...smallOptions,
    listener: { checkpointed: (event) => checkpoints.push(event) },
  });
  await node.logs.create('events', quorumLog, request());
  for (let i = 0; i < 200; i++) await put(node, `k${i}`, 'v'.repeat(1000));
  await appendTo(node, 'events', 'a');
  const before = node.status();
  // What stands before is the configuration that the group began with.
  expect(before.groups[1]?.firstIndex).toBe(2);
  await clock.advance(31_000);
  await node.checkpoint();
  const after = node.status();
  expect(checkpoints.length).toBeGreaterThan(0);
  expect(after.groups[1]?.durableAppliedIndex).toBe(after.groups[1]?.appliedIndex);
  expect(after.groups[1]?.firstIndex).toBeGreaterThan(200);
  expect(after.groups[1]?.firstIndex).toBeLessThanOrEqual((after.groups[1]?.durableAppliedIndex ?? 0) + 1);
  expect(after.wal.bytes).toBeLessThan(before.wal.bytes);
  await node.close(1000);
  node = await openTestNode(disk, clock);
  expect(await readLog(node, 'events')).toEqual(['a']);
});
