/** Backups of what every node writes: entries of all origins, rows with stamps and tombstones, and the epochs behind them. */
import { MemoryReplicationNetwork } from '@shanghai/replication/testing';
import { afterEach, expect, test } from 'vitest';
import { verifyBackup } from '../src/backup/verify-backup.js';
import type { LogPage, LogSettings } from '../src/logs/log-requests.js';
import type { ShanghaiNode } from '../src/node.js';
import type { WriteOperation } from '../src/requests/key-value-requests.js';
import { archive, copyTree, restore, save } from './backup-harness.js';
import { TestCluster } from './cluster-harness.js';
import {
  appendTo,
  bytes,
  createFaultDisk,
  createManualClock,
  createMemoryDisk,
  openTestNode,
  request,
  text,
} from './core-harness.js';

const ownGroup = 2 ** 24 - 1;
const epochJump = 2 ** 20;
const keyspace = 'carts';
const settings: LogSettings = {
  mode: 'multi-master',
  acknowledgement: 'local',
  retentionMs: 0,
  retentionBytes: 0,
  cleanupPolicy: 'delete',
};
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const put = (key: string, value: string): WriteOperation => ({ type: 'put', key: bytes(key), value: bytes(value) });
const del = (key: string): WriteOperation => ({ type: 'delete', key: bytes(key) });

function write(node: ShanghaiNode, ...operations: WriteOperation[]) {
  return node.keyValue.write({ kind: 'independent', operations }, { keyspace }, request());
}

function read(node: ShanghaiNode, log = 'events'): Promise<LogPage> {
  const scope = { allOrigins: true, epoch: 0, order: 'arrival' } as const;
  const start = { from: 'sequence', sequence: 0 } as const;
  return node.logs.read({ log, origin: 0, start, limit: 10_000, maxBytes: 1 << 24, scope }, request());
}

/** Every entry with all that it carries, by origin, epoch and sequence, then the vector. */
async function held(node: ShanghaiNode, log = 'events'): Promise<string[]> {
  const { entries, positions = [] } = await read(node, log);
  const lines = entries.map(({ key, value, headers, ...entry }) =>
    JSON.stringify({ ...entry, key: text(key), value: text(value), headers: headers.map(({ name }) => name) }),
  );
  return [...lines.sort(), ...positions.map((position) => JSON.stringify(position))];
}

async function rows(node: ShanghaiNode): Promise<string[]> {
  const found: string[] = [];
  for await (const { value } of node.keyValue.range({}, { keyspace, level: 'stale' }, request())) {
    for (const pair of value.pairs) found.push(`${text(pair.key)}=${text(pair.value)}`);
  }
  return found;
}

test('a node alone restored from a backup has every entry and key, and writes on in an epoch that nobody had', async () => {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  closing.push(() => node.close(1000).catch(() => undefined));
  await node.logs.create('events', settings, request());
  await node.keyspaces?.create(keyspace, 'multi-master', request());
  for (let i = 0; i < 50; i++) await appendTo(node, 'events', `event ${i}`, `again ${i}`);
  await write(node, put('a', '1'), put('b', '2'), del('a'), put('c', '3'));
  const producer = { producerId: 7, epoch: 1, sequence: 1 };
  const sent = { log: 'events', records: [{ key: bytes('k'), value: bytes('p'), headers: [] }], producer };
  await node.logs.append(sent, request());
  const before = await held(node);
  const manifest = await save(node, disk, 'backup');
  expect(manifest.groups.map(({ groupId }) => groupId)).toEqual([1, ownGroup, 0]);
  expect(manifest.groups[1]?.completeToMs).toBeGreaterThanOrEqual(1_000_000);
  expect(await verifyBackup('backup', { disk })).toMatchObject({ findings: [] });
  // What comes behind the cut is not in it.
  await appendTo(node, 'events', 'later');
  await write(node, put('b', 'later'));
  const report = await restore(disk, 'backup', 'restored');
  expect(report.groups.map(({ groupId }) => groupId)).toEqual([1, ownGroup, 0]);
  const other = await openTestNode(disk, clock, { dataDirectory: 'restored' });
  closing.push(() => other.close(1000).catch(() => undefined));
  expect(await held(other)).toEqual(before);
  expect(await rows(other)).toEqual(['b=2', 'c=3']);
  const appended = await appendTo(other, 'events', 'new');
  expect(appended).toMatchObject({ origin: 1, firstSequence: 1 });
  expect(appended.epoch).toBeGreaterThan(epochJump);
  // Its numbers go on: what it sent before was in another epoch of the node.
  await expect(other.logs.append(sent, request())).rejects.toMatchObject({ code: 'CONFLICT' });
  const next = { ...sent, producer: { ...producer, sequence: 2 } };
  expect(await other.logs.append(next, request())).toMatchObject({ firstSequence: 2, duplicate: false });
  await write(other, put('a', 'new'), del('b'));
  expect(await rows(other)).toEqual(['a=new', 'c=3']);
  await other.close(1000);
  const again = await openTestNode(disk, clock, { dataDirectory: 'restored' });
  closing.push(() => again.close(1000));
  expect(await rows(again)).toEqual(['a=new', 'c=3']);
  expect((await held(again)).slice(0, 101)).toEqual(before.slice(0, 101));
  const second = await save(again, disk, 'backup-2');
  expect(second.groups).toHaveLength(3);
  await restore(disk, 'backup-2', 'restored-2');
  const third = await openTestNode(disk, clock, { dataDirectory: 'restored-2' });
  closing.push(() => third.close(1000));
  expect((await appendTo(third, 'events', 'third')).epoch).toBeGreaterThan(2 * epochJump);
});

test('a backup of a node without such logs has no own group, and none comes of it', async () => {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  closing.push(() => node.close(1000));
  expect((await save(node, disk, 'backup')).groups.map(({ groupId }) => groupId)).toEqual([1, 0]);
  await restore(disk, 'backup', 'restored');
  const other = await openTestNode(disk, clock, { dataDirectory: 'restored' });
  closing.push(() => other.close(1000));
  await other.logs.create('events', settings, request());
  expect(await appendTo(other, 'events', 'a')).toMatchObject({ epoch: 1, firstSequence: 1 });
});

test('an archive makes and deletes such logs up to its point, and brings what is in them no further than the backup', async () => {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  closing.push(() => node.close(1000));
  for (const log of ['events', 'old']) {
    await node.logs.create(log, settings, request());
    await appendTo(node, log, 'a', 'b');
  }
  const manifest = await save(node, disk, 'backup');
  await appendTo(node, 'events', 'behind the backup');
  await node.logs.create('new', settings, request());
  await appendTo(node, 'new', 'behind the backup');
  await node.logs.delete('old', request());
  await archive(node, disk, 'archive', manifest);
  await restore(disk, 'backup', 'restored', { archive: { directory: 'archive', until: {} } });
  const other = await openTestNode(disk, clock, { dataDirectory: 'restored' });
  closing.push(() => other.close(1000));
  expect((await other.logs.list('', request())).map(({ name }) => name)).toEqual(['events', 'new']);
  expect((await read(other)).entries.map(({ value }) => text(value))).toEqual(['a', 'b']);
  expect((await read(other, 'new')).entries).toEqual([]);
  expect((await appendTo(other, 'new', 'x')).epoch).toBeGreaterThan(epochJump);
  await clock.advance(2_000);
  await other.checkpoint();
  // The files of the one that was deleted go as well.
  const own = (await disk.list('restored/groups')).find((name) => /^16777215\.\d+-\d+$/.test(name));
  expect((await disk.list(`restored/groups/${own}/logs`)).filter((name) => Number(name) < 10)).toEqual(['1']);
});

function cluster(size = 3): TestCluster {
  const made = new TestCluster(size);
  closing.push(() => made.close());
  const shipping = new MemoryReplicationNetwork({ clock: made.clock });
  const start = made.start.bind(made);
  made.start = (nodeId, more = {}) =>
    start(nodeId, { replication: { transport: shipping.transport(nodeId) }, ...more });
  return made;
}

async function untilHeld(made: TestCluster, entries: number): Promise<void> {
  for (let i = 0; i < 600; i++) {
    const pages = await Promise.all(made.ids.map((id) => read(made.node(id))));
    if (pages.every((page) => page.entries.length === entries)) return;
    await made.clock.advance(50);
  }
  throw new Error(`not all nodes hold ${entries} entries`);
}

test('three nodes restored from the backup of one have what all of them wrote, agree, and go on in new epochs', async () => {
  const old = cluster();
  await old.startAll();
  await old.during(old.node(1).logs.create('events', settings, request()));
  await old.during(old.node(1).keyspaces?.create(keyspace, 'multi-master', request()) as Promise<unknown>);
  const events = (id: number, from: number) => Array.from({ length: 15 }, (_, i) => `${id}: ${from + i}`);
  for (const from of [0, 15]) {
    for (const id of old.ids) await old.during(appendTo(old.node(id), 'events', ...events(id, from)));
  }
  for (const id of old.ids) await old.during(write(old.node(id), put(`key-${id}`, `${id}`), put('shared', `${id}`)));
  await old.during(write(old.node(3), del('key-1')));
  const sent = (sequence: number) => {
    const producer = { producerId: 7, epoch: 1, sequence };
    return { log: 'events', records: [{ key: bytes('k'), value: bytes('p'), headers: [] }], producer };
  };
  await old.during(old.node(2).logs.append(sent(1), request()));
  // Nobody waits: saving does, for what was acknowledged anywhere.
  const disk = createMemoryDisk();
  const manifest = await old.during(save(old.node(2), disk, 'backup'));
  const own = manifest.groups.find(({ groupId }) => groupId === ownGroup);
  expect(own?.completeToMs).toBeGreaterThan(manifest.timeMs - 1000);
  await untilHeld(old, 91);
  const before = await held(old.node(2));
  const keys = await rows(old.node(2));
  await old.close();
  await restore(disk, 'backup', 'alone', { nodeId: 2 });
  const lone = await openTestNode(disk, old.clock, { dataDirectory: 'alone', nodeId: 2 });
  expect([await held(lone), await rows(lone)]).toEqual([before, keys]);
  await lone.close(1000);
  const next = cluster();
  const clusterIds = new Set<string>();
  for (const { nodeId } of old.members) {
    const target = createFaultDisk({ seed: nodeId });
    await copyTree(disk, target, 'backup');
    clusterIds.add((await restore(target, 'backup', 'data', { nodeId, members: old.members })).clusterId);
    next.disks.set(nodeId, target);
  }
  expect(clusterIds.size).toBe(1);
  await next.startAll();
  for (const id of next.ids) {
    expect(await held(next.node(id))).toEqual(before);
    expect(await rows(next.node(id))).toEqual(keys);
  }
  const epochs = new Set<number>();
  for (const id of next.ids) {
    const appended = await next.during(appendTo(next.node(id), 'events', `new of ${id}`));
    expect(appended).toMatchObject({ origin: id, firstSequence: 1 });
    epochs.add(appended.epoch as number);
    await next.during(write(next.node(id), put('after', `${id}`), put('key-1', `${id} again`)));
  }
  expect(Math.min(...epochs)).toBeGreaterThan(epochJump);
  // A producer is known to the node that it sent to, and to no other.
  expect(await next.during(next.node(1).logs.append(sent(1), request()))).toMatchObject({ duplicate: false });
  expect(await next.during(next.node(2).logs.append(sent(2), request()))).toMatchObject({ duplicate: false });
  await untilHeld(next, 96);
  await next.clock.advance(5_000);
  const copies = await Promise.all(next.ids.map(async (id) => [await held(next.node(id)), await rows(next.node(id))]));
  expect(copies[1]).toEqual(copies[0]);
  expect(copies[2]).toEqual(copies[0]);
  expect(copies[0]?.[1]).toContain('key-1=3 again');
}, 60_000);

test('a backup says up to when it has all when a member cannot be heard, and is taken all the same', async () => {
  const old = cluster();
  await old.startAll();
  await old.during(old.node(1).logs.create('events', settings, request()));
  for (const id of old.ids) await old.during(appendTo(old.node(id), 'events', `${id}`));
  await untilHeld(old, 3);
  // Its last word, by which others know up to when they have it all.
  await old.clock.advance(3000);
  const stoppedMs = old.clock.nowMs();
  await old.stop(3);
  await old.clock.advance(20_000);
  const disk = createMemoryDisk();
  const manifest = await old.during(save(old.node(1), disk, 'backup'));
  const completeToMs = manifest.groups.find(({ groupId }) => groupId === ownGroup)?.completeToMs ?? 0;
  expect(completeToMs).toBeLessThan(stoppedMs + 1000);
  expect(completeToMs).toBeGreaterThan(stoppedMs - 20_000);
}, 60_000);

test('a node that joins a restored cluster gets what was written by nodes that are not in it, and the consumers as they were restored', async () => {
  const old = cluster();
  await old.startAll();
  await old.during(old.node(1).logs.create('events', settings, request()));
  await old.during(old.node(1).keyspaces?.create(keyspace, 'multi-master', request()) as Promise<unknown>);
  for (const id of old.ids) await old.during(appendTo(old.node(id), 'events', `${id}: a`, `${id}: b`));
  await old.during(write(old.node(3), put('key', '3'), put('gone', '3'), del('gone')));
  const positions = [{ origin: 3, epoch: 1, sequence: 2 }];
  const commit = { log: 'events', consumer: 'c', generation: 0, positions };
  await old.during(old.node(3).logUpkeep?.commit(commit, request()) as Promise<unknown>);
  const disk = createMemoryDisk();
  await old.during(save(old.node(1), disk, 'backup'));
  await old.close();
  const next = cluster(2);
  for (const { nodeId } of next.members) {
    const target = createFaultDisk({ seed: nodeId });
    await copyTree(disk, target, 'backup');
    await restore(target, 'backup', 'data', { nodeId, members: next.members });
    next.disks.set(nodeId, target);
  }
  await next.startAll();
  await next.clock.advance(3_000);
  const fourth = await next.join(4);
  const state = async (node: ShanghaiNode) => {
    const consumer = await node.logUpkeep?.consumer('events', 'c', request());
    return JSON.stringify([await held(node), await rows(node), consumer?.generation, consumer?.positions]);
  };
  const expected = await state(next.node(1));
  expect(expected).toContain('3: b');
  let found = '';
  for (let i = 0; i < 150 && found !== expected; i++) {
    await next.clock.advance(200);
    // Time goes on meanwhile: it may wait for what it does not know yet.
    found = await next.during(state(fourth).catch((error: Error) => error.message));
  }
  expect(JSON.parse(found)).toEqual(JSON.parse(expected));
  expect(JSON.parse(found).slice(1)).toEqual([['key=3'], 2, positions]);
}, 60_000);
