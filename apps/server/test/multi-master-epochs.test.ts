import { MemoryReplicationNetwork } from '@shanghai/replication/testing';
import { afterEach, expect, test } from 'vitest';
import type { LogEntry, LogSettings } from '../src/logs/log-requests.js';
import type { ShanghaiNode } from '../src/node.js';
import { TestCluster } from './cluster-harness.js';
import { appendTo, request, text } from './core-harness.js';

const settings: LogSettings = {
  ...{ mode: 'multi-master', acknowledgement: 'local', cleanupPolicy: 'delete' },
  ...{ retentionMs: 0, retentionBytes: 0 },
};
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function three() {
  const cluster = new TestCluster(3);
  const shipping = new MemoryReplicationNetwork({ clock: cluster.clock });
  const told: string[] = [];
  const listener = { diverged: () => told.push('diverged'), reverted: () => told.push('reverted') };
  closing.push(() => cluster.close());
  const start = cluster.start.bind(cluster);
  cluster.start = (nodeId, more = {}) =>
    start(nodeId, { replication: { transport: shipping.transport(nodeId), listener }, ...more });
  await cluster.startAll();
  await cluster.during(cluster.node(1).logs.create('events', settings, request()));
  return { cluster, shipping, told };
}

async function entries(node: ShanghaiNode): Promise<readonly LogEntry[]> {
  const scope = { allOrigins: true, epoch: 0, order: 'arrival' } as const;
  const start = { from: 'sequence', sequence: 0 } as const;
  const read = { log: 'events', origin: 0, start, limit: 1000, maxBytes: 1 << 20, scope };
  return (await node.logs.read(read, request())).entries;
}

const nameOf = ({ origin, epoch, sequence, value }: LogEntry) => `${origin}.${epoch}/${sequence}=${text(value)}`;

async function untilAllHave(cluster: TestCluster, names: readonly string[]): Promise<void> {
  const expected = [...names].sort();
  let all: string[][] = [];
  for (let i = 0; i < 400; i++) {
    all = await Promise.all(cluster.ids.map(async (id) => (await entries(cluster.node(id))).map(nameOf).sort()));
    if (all.every((one) => JSON.stringify(one) === JSON.stringify(expected))) return;
    await cluster.clock.advance(50);
  }
  expect(all).toEqual(cluster.ids.map(() => expected));
}

const append = (cluster: TestCluster, value: string, nodeId = 3) =>
  cluster.during(appendTo(cluster.node(nodeId), 'events', value));

test('a node that ended in order, or alone crashed, goes on in its epoch', async () => {
  const { cluster, told } = await three();
  expect(await append(cluster, 'a')).toMatchObject({ epoch: 1, firstSequence: 1 });
  await cluster.stop(3);
  await cluster.during(cluster.start(3));
  expect(await append(cluster, 'b')).toMatchObject({ epoch: 1, firstSequence: 2 });
  const disk = cluster.disks.get(3)?.afterCrash('all', 1);
  await cluster.stop(3, 0);
  cluster.disks.set(3, disk as NonNullable<typeof disk>);
  await cluster.during(cluster.start(3));
  expect(await append(cluster, 'c')).toMatchObject({ epoch: 1, firstSequence: 3 });
  await untilAllHave(cluster, ['3.1/1=a', '3.1/2=b', '3.1/3=c']);
  expect(told).toEqual([]);
});

test('a directory that is put back to before the program last began writes nothing under numbers it has given out', async () => {
  const { cluster, shipping, told } = await three();
  await append(cluster, 'kept');
  await untilAllHave(cluster, ['3.1/1=kept']);
  await cluster.stop(3);
  const copy = cluster.disks.get(3)?.afterCrash('all', 1);
  await cluster.during(cluster.start(3));
  await append(cluster, 'lost');
  await untilAllHave(cluster, ['3.1/1=kept', '3.1/2=lost']);
  await cluster.stop(3);
  cluster.disks.set(3, copy as NonNullable<typeof copy>);
  for (const other of [1, 2]) shipping.cut(3, other);
  await cluster.during(cluster.start(3));
  // The others know that its copy of the system group had more: it has to join anew.
  await expect(append(cluster, 'new')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  for (const other of [1, 2]) shipping.heal(3, other);
  await cluster.clock.advance(5000);
  await expect(append(cluster, 'new')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  expect((await entries(cluster.node(1))).map(nameOf)).toEqual(['3.1/1=kept', '3.1/2=lost']);
  expect(told.filter((what) => what === 'diverged')).toEqual([]);
});

test('a copy of a running node’s directory is told by what the others hold, or else not trusted', async () => {
  const { cluster, shipping, told } = await three();
  await append(cluster, 'kept');
  const copy = () => cluster.disks.get(3)?.afterCrash('all', 1);
  const before = copy();
  await append(cluster, 'lost');
  await untilAllHave(cluster, ['3.1/1=kept', '3.1/2=lost']);
  await cluster.stop(3, 0);
  cluster.disks.set(3, before as NonNullable<typeof before>);
  await cluster.during(cluster.start(3));
  expect(await append(cluster, 'new')).toMatchObject({ epoch: 2, firstSequence: 1 });
  await untilAllHave(cluster, ['3.1/1=kept', '3.1/2=lost', '3.2/1=new']);
  // The same with nobody to ask but the system group.
  const again = copy();
  await append(cluster, 'gone');
  await untilAllHave(cluster, ['3.1/1=kept', '3.1/2=lost', '3.2/1=new', '3.2/2=gone']);
  await cluster.stop(3, 0);
  cluster.disks.set(3, again as NonNullable<typeof again>);
  for (const other of [1, 2]) shipping.cut(3, other);
  await cluster.during(cluster.start(3));
  expect(await append(cluster, 'newer')).toMatchObject({ epoch: 3, firstSequence: 1 });
  for (const other of [1, 2]) shipping.heal(3, other);
  await untilAllHave(cluster, ['3.1/1=kept', '3.1/2=lost', '3.2/1=new', '3.2/2=gone', '3.3/1=newer']);
  expect(told.filter((what) => what === 'diverged')).toEqual([]);
});
