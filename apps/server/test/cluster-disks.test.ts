import { afterEach, expect, test } from 'vitest';
import type { ShanghaiNode } from '../src/node.js';
import { group, isReady, TestCluster } from './cluster-harness.js';
import { get, put } from './core-harness.js';

let cluster: TestCluster;

afterEach(async () => {
  await cluster.close();
});

async function three(
  more: ConstructorParameters<typeof TestCluster>[1] = {},
): Promise<{ id: number; node: ShanghaiNode }> {
  cluster = new TestCluster(3, more);
  await cluster.startAll();
  const id = cluster.leader(1) as number;
  return { id, node: cluster.node(id) };
}

/** Waits until another node leads both groups, and gives it. */
async function successorOf(lost: number): Promise<ShanghaiNode> {
  const others = () => [...cluster.nodes].filter(([nodeId]) => nodeId !== lost).map(([, node]) => node);
  const leads = (groupId: number) => others().find((node) => group(node, groupId).role === 'leader');
  await cluster.until('others lead', () => leads(0) !== undefined && leads(1) !== undefined);
  return leads(1) as ShanghaiNode;
}

test('a leader whose disk is full gives way: the others take writes, and it follows when there is space', async () => {
  const { id, node } = await three();
  await put(node, 'before', '1');
  const error = { kind: 'error', code: 'ENOSPC' } as const;
  const heal = cluster.disks.get(id)?.inject({ operation: 'write', times: Number.POSITIVE_INFINITY, effect: error });
  const dropped = put(node, 'dropped', 'x');
  await expect(cluster.during(dropped)).rejects.toMatchObject({
    code: expect.stringMatching(/OUTCOME_UNKNOWN|CLUSTER/),
  });
  const successor = await successorOf(id);
  await cluster.during(put(successor, 'after', '2'));
  expect(node.readiness().find(({ name }) => name === 'space')).toMatchObject({
    ok: false,
    detail: expect.stringContaining('the disk is full'),
  });
  await expect(put(node, 'refused', 'x')).rejects.toMatchObject({
    code: 'CLUSTER_ERROR',
    message: expect.stringContaining('the disk of this node is full'),
  });
  heal?.();
  await cluster.until('it follows', () => isReady(node));
  expect(await cluster.during(get(node, 'before'))).toBe('1');
  expect(await cluster.during(get(node, 'after'))).toBe('2');
  expect(await cluster.during(get(node, 'refused'))).toBeUndefined();
});

test('a leader that has space for its log but none for its state gives way, also where the next one has none', async () => {
  const { id, node } = await three();
  const full = { kind: 'error', code: 'ENOSPC' } as const;
  const rule = { operation: 'write', path: /\/groups\/1\//, times: Number.POSITIVE_INFINITY, effect: full } as const;
  const next = cluster.ids.find((nodeId) => nodeId !== id) as number;
  const heals = [id, next].map((nodeId) => cluster.disks.get(nodeId)?.inject(rule));
  const stuck = put(node, 'stuck', 'x').catch(() => undefined);
  const healthy = cluster.ids.find((nodeId) => nodeId !== id && nodeId !== next) as number;
  await cluster.until('who has space leads', () => group(cluster.node(healthy), 1).role === 'leader');
  await cluster.during(put(cluster.node(healthy), 'after', '2'));
  for (const heal of heals) heal?.();
  await cluster.during(stuck);
  await cluster.until('all follow', () => cluster.ids.every((nodeId) => isReady(cluster.node(nodeId))));
  expect(await cluster.during(get(node, 'after'))).toBe('2');
});

test('a leader whose disk does not answer gives way, and follows when it answers', async () => {
  const { id, node } = await three();
  await put(node, 'before', '1');
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  cluster.disks.get(id)?.inject({ operation: 'sync', path: /\/wal\//, effect: { kind: 'stall', release: released } });
  const waiting = put(node, 'waiting', 'x');
  waiting.catch(() => undefined);
  const successor = await successorOf(id);
  await cluster.during(put(successor, 'after', '2'));
  expect(node.readiness().find(({ name }) => name === 'disk')).toMatchObject({ ok: false });
  expect(node.status().wal.diskStalls).toBeGreaterThan(0);
  release();
  await cluster.until('it follows', () => isReady(node));
  expect(await cluster.during(get(node, 'after'))).toBe('2');
});

test('a disk that stays silent is the end of its node, and of nothing else', async () => {
  const failures: string[] = [];
  const { id, node } = await three({ listener: { failed: ({ error }) => void failures.push(String(error)) } });
  await put(node, 'before', '1');
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  cluster.disks.get(id)?.inject({ operation: 'sync', path: /\/wal\//, effect: { kind: 'stall', release: released } });
  put(node, 'waiting', 'x').catch(() => undefined);
  await cluster.until('the node says that it cannot go on', () => failures.length > 0);
  expect(failures[0]).toContain('disk');
  expect(isReady(node)).toBe(false);
  await expect(put(node, 'late', 'x')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  const successor = await successorOf(id);
  await cluster.during(put(successor, 'after', '2'));
  expect(await cluster.during(get(successor, 'before'))).toBe('1');
  release();
});
