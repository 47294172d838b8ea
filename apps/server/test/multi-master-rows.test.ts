import { MemoryReplicationNetwork } from '@shanghai/replication/testing';
import { afterEach, expect, test } from 'vitest';
import { keyspaceLogId } from '../src/apply/keyspace-log.js';
import type { ShanghaiNode } from '../src/node.js';
import type { NodeOptions } from '../src/node-options.js';
import type { WriteOperation } from '../src/requests/key-value-requests.js';
import { TestCluster } from './cluster-harness.js';
import { bytes, request, text } from './core-harness.js';

const keyspace = 'carts';
const logId = keyspaceLogId(1);
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const put = (key: string, value: string): WriteOperation => ({ type: 'put', key: bytes(key), value: bytes(value) });
const del = (key: string): WriteOperation => ({ type: 'delete', key: bytes(key) });
const long = (text: string) => text.repeat(6000);

function write(node: ShanghaiNode, ...operations: WriteOperation[]) {
  return node.keyValue.write({ kind: 'independent', operations }, { keyspace }, request());
}

function knows(node: ShanghaiNode): boolean {
  return node.keyspaces?.list(request()).some(({ name }) => name === keyspace) === true;
}

/** Every row with the entry that wrote it. */
async function rows(node: ShanghaiNode): Promise<string[]> {
  const found: string[] = [];
  for await (const { value } of node.keyValue.range({}, { keyspace, level: 'stale' }, request())) {
    for (const { key, value: bytes, revision } of value.pairs) {
      found.push(`${text(key)}=${text(bytes)?.slice(0, 8)}@${revision}`);
    }
  }
  return found;
}

/** Names of a stream's files at a node, which begin with their first sequences. */
async function files(cluster: TestCluster, nodeId: number, stream: string): Promise<string[]> {
  const names = (await cluster.disks.get(nodeId)?.list(`data/logs/${logId}/${stream}`)) ?? [];
  return names.filter((name) => /^\d{20}/.test(name)).sort();
}

const isWhole = (names: readonly string[]) => names[0]?.startsWith('00000000000000000001') === true;

async function three(maxLagBytes: number) {
  const cluster = new TestCluster(3);
  const shipping = new MemoryReplicationNetwork({ clock: cluster.clock });
  const skipped: string[] = [];
  /** Sessions that ended, and why. */
  const broken: string[] = [];
  const listener = {
    skipped: ({ origin }: { origin: number }) => skipped.push(`origin ${origin}`),
    disconnected: (_peer: number, _role: string, reason: string) => broken.push(reason),
  };
  closing.push(() => cluster.close());
  const more = (nodeId: number): Partial<NodeOptions> => {
    return { replication: { transport: shipping.transport(nodeId), maxLagBytes, listener, limits: { cacheBytes: 1 } } };
  };
  const start = cluster.start.bind(cluster);
  cluster.start = (nodeId, options = {}) => start(nodeId, { ...more(nodeId), ...options });
  await cluster.startAll();
  await cluster.during(cluster.node(1).keyspaces?.create(keyspace, 'multi-master', request()) as Promise<unknown>);
  await cluster.until('all nodes know the keyspace', () => cluster.ids.every((id) => knows(cluster.node(id))));
  const cut = (nodeId: number) => {
    for (const other of cluster.ids.filter((id) => id !== nodeId)) shipping.cut(nodeId, other);
  };
  const heal = (nodeId: number) => {
    for (const other of cluster.ids.filter((id) => id !== nodeId)) shipping.heal(nodeId, other);
  };
  return { cluster, cut, heal, skipped, broken };
}

async function untilSame(cluster: TestCluster, ids: readonly number[]): Promise<string[]> {
  let all: string[][] = [];
  for (let i = 0; i < 600; i++) {
    all = await Promise.all(ids.map((id) => rows(cluster.node(id))));
    if (all.every((one) => JSON.stringify(one) === JSON.stringify(all[0])) && (all[0] as string[]).length > 0) break;
    await cluster.clock.advance(50);
  }
  expect(all).toEqual(ids.map(() => all[0]));
  return all[0] as string[];
}

async function fill(cluster: TestCluster, ids: readonly number[], count: number, name: string): Promise<void> {
  for (let i = 0; i < count; i++) {
    for (const id of ids) await cluster.during(write(cluster.node(id), put(`${name}-${i % 3}`, long(`${id}.${i} `))));
    if (i % 2 === 0) await cluster.during(write(cluster.node(ids[0] as number), del(`${name}-${i % 3}`)));
  }
}

async function checkpoint(cluster: TestCluster, ids: readonly number[]): Promise<void> {
  await cluster.clock.advance(3000);
  for (const id of ids) await cluster.during(cluster.node(id).checkpoint());
}

test('behind what all members hold a keyspace’s log is trimmed, and what one of them lacks is kept', async () => {
  const { cluster, cut, heal, skipped } = await three(1 << 30);
  await fill(cluster, [1, 2], 5, 'a');
  await untilSame(cluster, [1, 2, 3]);
  await checkpoint(cluster, [1, 2, 3]);
  for (const id of cluster.ids) expect(isWhole(await files(cluster, id, '1.1'))).toBe(false);
  cut(3);
  const before = await files(cluster, 1, '1.1');
  await fill(cluster, [1, 2], 5, 'b');
  await checkpoint(cluster, [1, 2]);
  expect((await files(cluster, 1, '1.1')).slice(0, 1)).toEqual(before.slice(-1));
  heal(3);
  await untilSame(cluster, [1, 2, 3]);
  expect(skipped).toEqual([]);
});

test('a member that was away for longer than the log is kept gets rows, and what was deleted meanwhile is gone there', async () => {
  const { cluster, cut, heal, skipped, broken } = await three(100_000);
  await cluster.during(write(cluster.node(1), put('kept', 'k'), put('gone', 'g')));
  await untilSame(cluster, [1, 2, 3]);
  cut(3);
  await cluster.during(write(cluster.node(1), del('gone')));
  await cluster.during(write(cluster.node(3), put('alone', 'three'), put('both', 'three')));
  await cluster.clock.advance(20);
  await cluster.during(write(cluster.node(2), put('both', 'two')));
  await fill(cluster, [1, 2], 10, 'a');
  await checkpoint(cluster, [1, 2]);
  for (const id of [1, 2]) expect(isWhole(await files(cluster, id, '1.1'))).toBe(false);
  broken.length = 0;
  heal(3);
  const all = await untilSame(cluster, [1, 2, 3]);
  expect(new Set(skipped)).toEqual(new Set(['origin 1', 'origin 2']));
  expect(all.some((row) => row.startsWith('gone='))).toBe(false);
  expect(all).toEqual(expect.arrayContaining(['alone=three@1', 'kept=k@1', expect.stringMatching(/^both=two/)]));
  // The streams go on behind the rows, and survive a restart of the member that took them.
  await cluster.during(write(cluster.node(1), put('after', 'x')));
  await untilSame(cluster, [1, 2, 3]);
  expect(broken).toEqual([]);
  await cluster.stop(3);
  await cluster.during(cluster.start(3));
  expect(await untilSame(cluster, [1, 2, 3])).toContainEqual(expect.stringMatching(/^after=x/));
  for (const id of cluster.ids) {
    expect(
      cluster
        .node(id)
        .keyspaces?.conflicts(keyspace, 0, request())
        .conflicts.map(({ key }) => text(key)),
    ).toEqual(['both']);
  }
});

test('a node that joins late begins with the rows of one other node', async () => {
  const { cluster, skipped } = await three(100_000);
  await fill(cluster, [1, 2, 3], 5, 'a');
  await untilSame(cluster, [1, 2, 3]);
  await checkpoint(cluster, [1, 2, 3]);
  for (const id of cluster.ids) expect(isWhole(await files(cluster, id, '2.1'))).toBe(false);
  const fourth = await cluster.join(4);
  await cluster.until('the new node knows the keyspace', () => knows(fourth));
  await untilSame(cluster, [1, 2, 3, 4]);
  expect(new Set(skipped)).toEqual(new Set(['origin 1', 'origin 2', 'origin 3']));
  await cluster.during(write(cluster.node(4), put('fourth', 'x'), del('a-1')));
  const all = await untilSame(cluster, [1, 2, 3, 4]);
  expect(all).toContainEqual(expect.stringMatching(/^fourth=x/));
});
