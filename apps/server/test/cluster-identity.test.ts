import { createFaultDisk, type FaultDisk } from '@shanghai/env/testing';
import { afterEach, expect, test } from 'vitest';
import { group, isReady, TestCluster } from './cluster-harness.js';
import { put, smallOptions } from './core-harness.js';

let cluster: TestCluster;

afterEach(async () => {
  await cluster.close();
});

test('a directory that was restored from a copy is refused once the cluster knows the node', async () => {
  cluster = new TestCluster(3);
  await cluster.startAll();
  await cluster.until('every node is in the node table', () =>
    [...cluster.nodes.values()].every((node) => node.status().nodes?.length === 3),
  );
  await cluster.stop(3);
  // What an offline repair leaves: the next start has a new instance id.
  cluster.disks.get(3)?.setContents('data/wal/repaired.json', Buffer.from('{}'));
  for (let i = 0; i < 2; i++) {
    await expect(cluster.start(3, { flags: false })).rejects.toMatchObject({
      code: 'REPLACED',
      message: expect.stringContaining('shanghaictl node replace 3'),
    });
  }
  expect(cluster.ids.slice(0, 2).every((nodeId) => isReady(cluster.node(nodeId)))).toBe(true);
});

test('a directory put back in place to an earlier state stops its node, and is refused from then on', async () => {
  cluster = new TestCluster(3);
  await cluster.startAll();
  const leader = cluster.leader(1) as number;
  const victim = cluster.ids.find((nodeId) => nodeId !== leader) as number;
  const disk = cluster.disks.get(victim) as FaultDisk;
  await cluster.stop(victim);
  const earlier = new Map([...disk.files()].map((path) => [path, Buffer.from(disk.contents(path) as Uint8Array)]));
  await cluster.start(victim);
  await cluster.during(Promise.all(Array.from({ length: 20 }, (_, i) => put(cluster.node(leader), `k${i}`, 'v'))));
  const reached = () => group(cluster.node(victim), 1).appliedIndex >= group(cluster.node(leader), 1).appliedIndex;
  await cluster.until('the victim holds it all', reached);
  await cluster.stop(victim);
  for (const path of disk.files()) if (!earlier.has(path)) await disk.remove(path);
  for (const [path, bytes] of earlier) disk.setContents(path, bytes);
  const failures: unknown[] = [];
  await cluster.start(victim, { listener: { failed: ({ error }) => failures.push(error) } });
  await cluster.until('it is told that its log was put back', () => failures.length > 0);
  expect(failures[0]).toMatchObject({ code: 'LOG_REVERTED' });
  await cluster.stop(victim, 0).catch(() => undefined);
  await expect(cluster.start(victim)).rejects.toMatchObject({ code: 'REPLACED' });
  await put(cluster.node(leader), 'after', '1');
});

test('a node of a cluster of several does not start with a durability that may lose what it acknowledged', async () => {
  cluster = new TestCluster(3);
  const wal = { ...smallOptions.wal, durability: 'interval' } as const;
  await expect(cluster.start(1, { wal })).rejects.toMatchObject({
    code: 'OTHER_NODE',
    message: expect.stringContaining('only for a node alone'),
  });
  await cluster.startAll();
  await put(cluster.node(cluster.leader(1) as number), 'a', '1');
});

test('a member whose id or cluster was mistaken is refused by its own directory', async () => {
  cluster = new TestCluster(3);
  await cluster.startAll();
  await cluster.stop(2);
  await expect(cluster.start(2, { nodeId: 1 })).rejects.toMatchObject({ code: 'OTHER_NODE' });
  await expect(cluster.start(2, { clusterToken: 'another' })).rejects.toMatchObject({ code: 'OTHER_NODE' });
  await cluster.start(2);
  await cluster.until('it is ready', () => isReady(cluster.node(2)));
});

test('a node that was not told of the others makes a cluster of its own, and is none of theirs', async () => {
  cluster = new TestCluster(3);
  await cluster.startAll();
  cluster.disks.set(9, createFaultDisk({ seed: 9 }));
  const alone = await cluster.start(9, { flags: false });
  expect(isReady(alone)).toBe(true);
  expect(alone.status().clusterId).not.toBe(cluster.node(1).status().clusterId);
  expect(
    cluster
      .node(1)
      .status()
      .nodes?.some(({ nodeId }) => nodeId === 9),
  ).toBe(false);
});
