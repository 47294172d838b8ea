import type { Clock } from '@shanghai/env';
import { MemoryReplicationNetwork } from '@shanghai/replication/testing';
import { afterEach, expect, test } from 'vitest';
import type { ShanghaiNode } from '../src/node.js';
import type { WriteOperation } from '../src/requests/key-value-requests.js';
import type { ReadContext } from '../src/requests/request-context.js';
import { TestCluster } from './cluster-harness.js';
import { bytes, createManualClock, createMemoryDisk, openTestNode, request, text } from './core-harness.js';

const keyspace = 'carts';
const stale: ReadContext = { keyspace, level: 'stale' };
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const put = (key: string, value: string, ttlMs = 0): WriteOperation => {
  return { type: 'put', key: bytes(key), value: bytes(value), ...(ttlMs === 0 ? {} : { ttlMs }) };
};
const del = (key: string): WriteOperation => ({ type: 'delete', key: bytes(key) });

function write(node: ShanghaiNode, ...operations: WriteOperation[]) {
  return node.keyValue.write({ kind: 'independent', operations }, { keyspace }, request());
}

async function get(node: ShanghaiNode, key: string, read: ReadContext = stale): Promise<string | undefined> {
  return text((await node.keyValue.get(bytes(key), read, request())).value?.value);
}

async function rows(node: ShanghaiNode, more: object = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const { value } of node.keyValue.range(more, stale, request())) {
    for (const pair of value.pairs) found.push(`${text(pair.key)}=${text(pair.value)}`);
  }
  return found;
}

async function alone() {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  closing.push(() => node.close(1000).catch(() => undefined));
  await node.keyspaces?.create(keyspace, 'multi-master', request());
  return { disk, clock, node };
}

test('a node alone writes, reads and deletes keys, and has them after a restart', async () => {
  const { disk, clock, node } = await alone();
  const { value } = await write(node, put('a', '1'), put('b', '2'), del('nothing'), put('c', '3', 5_000));
  expect(value.map(({ ok }) => ok)).toEqual([true, true, true, true]);
  expect(value[2]).toMatchObject({ deleted: false });
  expect((await write(node, del('b'))).value).toMatchObject([{ deleted: true }]);
  expect(await rows(node)).toEqual(['a=1', 'c=3']);
  expect(await rows(node, { reverse: true, limit: 1 })).toEqual(['c=3']);
  await node.close(1000);
  const again = await openTestNode(disk, clock);
  closing.push(() => again.close(1000));
  expect(await rows(again)).toEqual(['a=1', 'c=3']);
  await clock.advance(6_000);
  expect(await get(again, 'c')).toBeUndefined();
  expect(await get(again, 'a')).toBe('1');
  await clock.advance(3_000);
  await write(again, put('a', '4'));
  expect(await get(again, 'a')).toBe('4');
  expect(again.keyspaces?.conflicts(keyspace, 0, request()).conflicts).toEqual([]);
});

test('what such a keyspace cannot do is refused with what to use instead', async () => {
  const { node } = await alone();
  const unsupported = expect.objectContaining({ code: 'UNSUPPORTED' });
  const context = { keyspace };
  const append: WriteOperation = { type: 'append', key: bytes('a'), value: bytes('x') };
  await expect(write(node, append)).rejects.toEqual(unsupported);
  const both = [put('a', '1'), put('b', '2')];
  await expect(node.keyValue.write({ kind: 'atomic', operations: both }, context, request())).rejects.toEqual(
    unsupported,
  );
  await expect(node.keyValue.write({ kind: 'transact', operations: both }, context, request())).rejects.toEqual(
    unsupported,
  );
  await expect(get(node, 'a', { keyspace, level: 'linearizable' })).rejects.toEqual(unsupported);
  expect(() => node.keyValue.watch({ keyspace }, request())).toThrow(/multi-master/);
  expect(() => node.keyspaces?.conflicts('nothing', 0, request())).toThrow(/no keyspace/);
  await expect(node.keyspaces?.create(keyspace, 'quorum', request())).rejects.toMatchObject({ code: 'CONFLICT' });
  await expect(node.keyspaces?.create('', 'multi-master', request())).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
  });
  expect(node.keyspaces?.list(request()).map(({ name, mode }) => [name, mode])).toEqual([
    ['', 'quorum'],
    [keyspace, 'multi-master'],
  ]);
});

async function three() {
  const cluster = new TestCluster(3);
  const shipping = new MemoryReplicationNetwork({ clock: cluster.clock });
  closing.push(() => cluster.close());
  const start = cluster.start.bind(cluster);
  cluster.start = (nodeId, more = {}) =>
    start(nodeId, { replication: { transport: shipping.transport(nodeId) }, ...more });
  await cluster.startAll();
  const created = cluster.node(1).keyspaces?.create(keyspace, 'multi-master', request());
  await cluster.during(created as Promise<unknown>);
  await cluster.until('all nodes know the keyspace', () =>
    cluster.ids.every(
      (id) =>
        cluster
          .node(id)
          .keyspaces?.list(request())
          .some(({ name }) => name === keyspace) === true,
    ),
  );
  return { cluster, shipping };
}

async function untilSame(cluster: TestCluster, expected: readonly string[]): Promise<void> {
  let all: string[][] = [];
  for (let i = 0; i < 600; i++) {
    all = await Promise.all(cluster.ids.map((id) => rows(cluster.node(id))));
    if (all.every((one) => JSON.stringify(one) === JSON.stringify(expected))) return;
    await cluster.clock.advance(50);
  }
  expect(all).toEqual(cluster.ids.map(() => expected));
}

test('nodes cut off from each other all take writes; healed, the last writer has won everywhere, and who lost is listed', async () => {
  const { cluster, shipping } = await three();
  const node = (id: number) => cluster.node(id);
  await cluster.during(write(node(1), put('shared', 'first'), put('gone', 'x')));
  await untilSame(cluster, ['gone=x', 'shared=first']);
  for (const other of [1, 2]) {
    shipping.cut(3, other);
    cluster.network.cut(3, other);
  }
  await cluster.during(write(node(1), put('shared', 'one')));
  await cluster.clock.advance(20);
  const last = await cluster.during(write(node(3), put('shared', 'three'), del('gone'), put('alone', '3')));
  expect(await rows(node(3))).toEqual(['alone=3', 'shared=three']);
  expect(await rows(node(1))).toEqual(['gone=x', 'shared=one']);
  for (const other of [1, 2]) shipping.heal(3, other);
  cluster.network.heal();
  await untilSame(cluster, ['alone=3', 'shared=three']);
  for (const id of cluster.ids) {
    const { conflicts, found } = node(id).keyspaces?.conflicts(keyspace, 0, request()) ?? { conflicts: [], found: 0 };
    expect(found).toBe(1);
    expect(conflicts.map(({ lost }) => [text(lost.loser.value), text(lost.winner.value)])).toEqual([['one', 'three']]);
  }
  // What a reader saw at one node it finds at another.
  const session: ReadContext = { keyspace, level: 'session', token: last.token };
  expect(await cluster.during(get(node(2), 'alone', session))).toBe('3');
});

test('an entry of a clock that runs ahead is held by the others, and a verdict drops it where it was folded, too', async () => {
  const { cluster, shipping } = await three();
  const node = (id: number) => cluster.node(id);
  await cluster.during(write(node(1), put('k', 'right')));
  await untilSame(cluster, ['k=right']);
  await cluster.stop(3);
  // The same time an hour later, for this node alone, which hears nobody and so believes it.
  const ahead: Clock = {
    nowMs: () => cluster.clock.nowMs() + 3_600_000,
    monotonicMs: () => cluster.clock.monotonicMs(),
    setTimer: (delayMs, callback) => cluster.clock.setTimer(delayMs, callback),
    soon: (callback) => cluster.clock.soon(callback),
  };
  for (const other of [1, 2]) {
    shipping.cut(3, other);
    cluster.network.cut(3, other);
  }
  await cluster.during(cluster.start(3, { clock: ahead }));
  await cluster.during(write(node(3), put('k', 'ahead')));
  expect(await get(node(3), 'k')).toBe('ahead');
  for (const other of [1, 2]) shipping.heal(3, other);
  cluster.network.heal();
  const held = (id: number) => node(id).keyspaces?.held(keyspace, 0, request());
  await cluster.until('the others hold it', () => [1, 2].every((id) => held(id)?.held === 1));
  expect(await get(node(1), 'k')).toBe('right');
  const { stamp } = held(1)?.entries[0]?.entry ?? { stamp: undefined };
  expect(stamp).toMatchObject({ origin: 3 });
  expect(held(1)?.entries[0]?.aheadMs).toBeGreaterThan(3_000_000);
  const { sequence = 0, epoch = 0 } = stamp ?? {};
  const range = { firstSequence: sequence, lastSequence: sequence };
  const drop = { keyspace, decision: 'drop', origin: 3, epoch, ...range } as const;
  const given = cluster.during(node(1).keyspaces?.giveVerdict(drop, request()) as Promise<number>);
  await expect(given).resolves.toBe(1);
  await untilSame(cluster, ['k=right']);
  expect(held(2)?.held).toBe(0);
  await expect(node(1).keyspaces?.giveVerdict(drop, request())).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a deleted keyspace is gone with its rows and files, who uses it is told, and one of its name begins empty', async () => {
  const { disk, clock, node } = await alone();
  const written = await write(node, put('a', '1'), put('b', '2'), del('a'));
  const { token } = written;
  await expect(node.keyspaces?.delete('', request())).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  await expect(node.keyspaces?.delete('none', request())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const reading = node.keyValue.range({ limit: 1 }, stale, request())[Symbol.asyncIterator]();
  await node.keyspaces?.delete(keyspace, request());
  const gone = expect.objectContaining({ code: 'NOT_FOUND' });
  await expect(write(node, put('c', '3'))).rejects.toEqual(gone);
  await expect(get(node, 'b')).rejects.toEqual(gone);
  await expect(get(node, 'b', { keyspace, level: 'linearizable' })).rejects.toEqual(gone);
  await expect(node.keyspaces?.delete(keyspace, request())).rejects.toEqual(gone);
  expect(() => node.keyspaces?.conflicts(keyspace, 0, request())).toThrow(/no keyspace/);
  await clock.advance(3000);
  await expect(reading.next()).rejects.toEqual(gone);
  await node.checkpoint();
  expect(await disk.list('data/logs')).toEqual([]);
  await node.close(1000);
  const again = await openTestNode(disk, clock);
  closing.push(() => again.close(1000));
  await expect(write(again, put('c', '3'))).rejects.toEqual(gone);
  await again.keyspaces?.create(keyspace, 'multi-master', request());
  expect(await rows(again)).toEqual([]);
  await expect(get(again, 'b', { keyspace, level: 'session', token })).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
  });
  await write(again, put('c', '3'));
  expect(await rows(again)).toEqual(['c=3']);
  expect(again.keyspaces?.list(request()).map(({ keyspaceId }) => keyspaceId)).toEqual([0, 2]);
  await again.keyspaces?.delete(keyspace, request());
  await again.keyspaces?.create(keyspace, 'quorum', request());
  expect(await get(again, 'c', { keyspace, level: 'linearizable' })).toBeUndefined();
});

test('a node that was away lets go of a keyspace that was deleted meanwhile, and of what still comes to it', async () => {
  const { cluster, shipping } = await three();
  const node = (id: number) => cluster.node(id);
  await cluster.during(write(node(1), put('a', '1')));
  await untilSame(cluster, ['a=1']);
  for (const other of [1, 2]) shipping.cut(3, other);
  cluster.network.cut(3);
  await cluster.during(write(node(3), put('alone', '3')));
  await cluster.clock.advance(5000);
  await cluster.until('one of the two leads', () => [1, 2].includes(cluster.leader(0) ?? 0));
  await cluster.during(node(2).keyspaces?.delete(keyspace, request()) as Promise<unknown>);
  await cluster.during(node(2).keyspaces?.create(keyspace, 'multi-master', request()) as Promise<unknown>);
  for (const other of [1, 2]) shipping.heal(3, other);
  cluster.network.heal();
  const ids = () => cluster.ids.map((id) => node(id).keyspaces?.list(request()).at(-1)?.keyspaceId);
  await cluster.until('all know the new one', () => ids().every((id) => id === 2));
  await cluster.during(write(node(3), put('new', '3')));
  await untilSame(cluster, ['new=3']);
  await cluster.clock.advance(3000);
  for (const id of cluster.ids) {
    await cluster.during(node(id).checkpoint());
    expect(await cluster.disks.get(id)?.list('data/logs')).toEqual(['2147483650']);
  }
});
