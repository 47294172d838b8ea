import { afterEach, beforeEach, expect, test } from 'vitest';
import { verifyBackup } from '../src/backup/verify-backup.js';
import type { ShanghaiNode } from '../src/node.js';
import { archive, checksums, never, restore, save } from './backup-harness.js';
import {
  appendTo,
  by,
  bytes,
  createManualClock,
  createMemoryDisk,
  get,
  openTestNode,
  put,
  quorumLog,
  readLog,
  request,
} from './core-harness.js';

let disk: ReturnType<typeof createMemoryDisk>;
let clock: ReturnType<typeof createManualClock>;
let node: ShanghaiNode;

beforeEach(async () => {
  disk = createMemoryDisk();
  clock = createManualClock(1_000_000);
  node = await openTestNode(disk, clock);
});

afterEach(() => node.close(1000));

async function fill(): Promise<void> {
  for (let i = 0; i < 40; i++) await put(node, `key-${i}`, `value-${i}`.repeat(20));
  await node.keyValue.write(
    { kind: 'independent', operations: [{ type: 'put', key: bytes('other'), value: bytes('space') }] },
    { ...by(), keyspace: 'second' },
    request(),
  );
  await node.keyValue.write(
    { kind: 'independent', operations: [{ type: 'put', key: bytes('short'), value: bytes('lived'), ttlMs: 60_000 }] },
    by(),
    request(),
  );
  await node.logs.create('events', quorumLog, request());
  for (let i = 0; i < 30; i++) await appendTo(node, 'events', `event ${i}`, `event ${i} again`);
}

test('what was saved is whole, and a node restored from it holds the same under another cluster id', async () => {
  await fill();
  const before = await checksums(node);
  const manifest = await save(node, disk, 'backups/one');
  expect(await verifyBackup('backups/one', { disk })).toMatchObject({ findings: [] });
  const report = await restore(disk, 'backups/one', 'restored');
  expect(Object.fromEntries(report.groups.map(({ groupId, checksum }) => [groupId, checksum]))).toEqual(before);
  const other = await openTestNode(disk, clock, { dataDirectory: 'restored' });
  try {
    expect(other.status().clusterId).toBe(report.clusterId);
    expect(report.clusterId).not.toBe(node.status().clusterId);
    expect(report.fromClusterId).toBe(manifest.clusterId);
    expect(await get(other, 'key-7')).toBe('value-7'.repeat(20));
    expect(await get(other, 'short')).toBe('lived');
    const second = await other.keyValue.get(bytes('other'), { keyspace: 'second', level: 'linearizable' }, request());
    expect(Buffer.from(second.value?.value ?? []).toString()).toBe('space');
    expect((await readLog(other, 'events')).length).toBe(60);
    await put(other, 'key-7', 'new');
    expect(await appendTo(other, 'events', 'later')).toMatchObject({ firstSequence: 61, epoch: 2 });
    expect(
      (await other.keyValue.get(bytes('key-7'), { keyspace: '', level: 'linearizable' }, request())).value?.revision,
    ).toBeGreaterThan(2 ** 40);
    await clock.advance(61_000);
    await put(other, 'a', 'b');
    expect(await get(other, 'short')).toBe(undefined);
  } finally {
    await other.close(1000);
  }
  const again = await openTestNode(disk, clock, { dataDirectory: 'restored' });
  expect(await get(again, 'key-7')).toBe('new');
  expect((await readLog(again, 'events')).at(-1)).toBe('later');
  await again.close(1000);
});

test('sessions, read tokens and watch positions of the old cluster are refused by the restored one', async () => {
  await fill();
  const { value: session } = await node.keyValue.openSession(600_000, request());
  await put(node, 'counted', 'once', { sessionId: session.sessionId, requestNumber: 1, retry: false });
  const { token } = await node.keyValue.get(bytes('counted'), { keyspace: '', level: 'linearizable' }, request());
  const watched = await node.keyValue.watch({ keyspace: '' }, request())[Symbol.asyncIterator]().next();
  await save(node, disk, 'backup');
  await restore(disk, 'backup', 'restored');
  const other = await openTestNode(disk, clock, { dataDirectory: 'restored' });
  try {
    const { position } = watched.value ?? fail();
    const watch = other.keyValue.watch({ keyspace: '', position }, request())[Symbol.asyncIterator]();
    await expect(watch.next()).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
    const late = put(other, 'counted', 'twice', { sessionId: session.sessionId, requestNumber: 2, retry: false });
    await expect(late).rejects.toMatchObject({ code: 'SESSION_EXPIRED' });
    const read = other.keyValue.get(bytes('counted'), { keyspace: '', level: 'session', token }, request());
    await expect(read).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    const { value: own } = await other.keyValue.openSession(600_000, request());
    expect(own.sessionId).toBeGreaterThan(session.sessionId + 1_000_000_000);
  } finally {
    await other.close(1000);
  }
});

test('an archive brings a backup to every entry behind it, with the state that the store had there', async () => {
  await fill();
  const manifest = await save(node, disk, 'backup');
  const seen = new Map<number, string>();
  for (let i = 0; i < 6; i++) {
    await clock.advance(1000);
    await put(node, `later-${i}`, `${i}`);
    await appendTo(node, 'events', `later ${i}`);
    if (i === 2) await node.logs.create('more', quorumLog, request());
    const { appliedIndex, checksum } = (await node.checksums()).find(({ groupId }) => groupId === 1) ?? fail();
    seen.set(appliedIndex, checksum);
    await archive(node, disk, 'archive', manifest);
    if (i === 3) await node.checkpoint();
  }
  for (const [index, checksum] of seen) {
    const dataDirectory = `restored-${index}`;
    const report = await restore(disk, 'backup', dataDirectory, {
      archive: { directory: 'archive', until: { index } },
    });
    expect(report.groups.find(({ groupId }) => groupId === 1)).toMatchObject({ index, checksum });
  }
});

test('a restore to a time undoes a mistaken delete, of keys and of a log', async () => {
  await fill();
  const manifest = await save(node, disk, 'backup');
  await clock.advance(5000);
  await put(node, 'precious', 'thing');
  await clock.advance(1000);
  const untilMs = clock.nowMs();
  await clock.advance(1000);
  await node.logs.delete('events', request());
  await node.keyValue.write(
    { kind: 'independent', operations: [{ type: 'delete', key: bytes('precious') }] },
    by(),
    request(),
  );
  await archive(node, disk, 'archive', manifest);
  const until = { timeMs: untilMs };
  const report = await restore(disk, 'backup', 'restored', { archive: { directory: 'archive', until } });
  expect(report.recovered).toEqual([]);
  const other = await openTestNode(disk, clock, { dataDirectory: 'restored' });
  expect(await get(other, 'precious')).toBe('thing');
  expect((await readLog(other, 'events')).length).toBe(60);
  await other.close(1000);
  const end = await restore(disk, 'backup', 'restored-2', { archive: { directory: 'archive', until: {} } });
  expect(end.clusterId).not.toBe(report.clusterId);
  const last = await openTestNode(disk, clock, { dataDirectory: 'restored-2' });
  expect(await get(last, 'precious')).toBe(undefined);
  expect(await last.logs.list('', request())).toEqual([]);
  await last.close(1000);
});

test('a point that is not in the archive is refused, and nothing is made', async () => {
  await fill();
  const manifest = await save(node, disk, 'backup');
  const cut = manifest.groups.find(({ groupId }) => groupId === 1) ?? fail();
  await put(node, 'one', 'more');
  await archive(node, disk, 'archive', manifest);
  const to = (until: object) => restore(disk, 'backup', 'restored', { archive: { directory: 'archive', until } });
  await expect(to({ index: cut.appliedIndex + 100 })).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
  await expect(to({ timeMs: clock.nowMs() + 1_000_000 })).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
  await expect(to({ index: cut.appliedIndex - 1 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await expect(to({ timeMs: 1 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await expect(restore(disk, 'archive', 'restored')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await disk.stat('restored')).toBe(undefined);
});

test('one backup is sent at a time, and one that is given up makes room for the next', async () => {
  await fill();
  const signal = new AbortController();
  const first = node.saveSnapshot?.({ stale: false, signal: signal.signal })[Symbol.asyncIterator]() ?? fail();
  await first.next();
  await expect(save(node, disk, 'backup')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  await first.next();
  signal.abort();
  await first.return?.();
  await save(node, disk, 'backup');
  expect((await disk.list('data/groups')).filter((name) => name.endsWith('.snapshots'))).not.toEqual([]);
  for (const groupId of [0, 1]) {
    const left = await disk.list(`data/groups/${groupId}.snapshots`).catch(() => []);
    expect(left).toEqual([]);
  }
  expect(never.aborted).toBe(false);
});

test('a reader that asks for nothing for two minutes is given up, and what it held goes', async () => {
  await fill();
  const idle = node.saveSnapshot?.({ stale: false, signal: never })[Symbol.asyncIterator]() ?? fail();
  for (let i = 0; i < 4; i++) await idle.next();
  expect(await disk.list('data/groups/1.snapshots')).toHaveLength(1);
  await clock.advance(130_000);
  await clock.advance(130_000);
  expect(await disk.list('data/groups/1.snapshots')).toEqual([]);
  await save(node, disk, 'backup');
  await expect(
    (async () => {
      while ((await idle.next()).done !== true);
    })(),
  ).rejects.toMatchObject({ code: expect.stringMatching(/DEADLINE_EXCEEDED|INCOMPLETE/) });
});

function fail(): never {
  throw new Error('it is missing');
}
