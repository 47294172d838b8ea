/** What every node of a cluster says of its state: the same, where they reach each other. */
import { GetHealthResponse } from '@shanghai/proto';
import { afterEach, expect, test } from 'vitest';
import { groupMessage } from '../src/api/grpc/cluster-messages.js';
import { HealthMonitor } from '../src/health/health-monitor.js';
import type { HealthCalls } from '../src/health/health-ports.js';
import { reportOf } from '../src/health/reported-health.js';
import { TestCluster } from './cluster-harness.js';
import { put } from './core-harness.js';

let cluster: TestCluster;
const monitors = new Map<number, HealthMonitor>();

afterEach(async () => {
  for (const monitor of monitors.values()) monitor.stop();
  monitors.clear();
  await cluster.close();
});

/** What another node would answer over gRPC, as messages. A link that is cut carries nothing. */
async function answerOf(from: number, address: string): Promise<ReturnType<typeof reportOf>> {
  const to = Number(/^node-(\d+):/.exec(address)?.[1]);
  const [node, monitor] = [cluster.nodes.get(to), monitors.get(to)];
  if (node === undefined || monitor === undefined || !cluster.network.passes(from, to)) throw new Error('no answer');
  const { nodeId, instanceId, groups } = node.status();
  const checks = monitor.checks().map((check) => ({ ...check, sinceMs: BigInt(check.sinceMs) }));
  const message = { nodeId: BigInt(nodeId), instanceId, groups: groups.map(groupMessage), checks };
  return reportOf(GetHealthResponse.decode(GetHealthResponse.encode(message).finish()));
}

/** Three nodes that ask each other. */
async function three(): Promise<void> {
  cluster = new TestCluster(3);
  await cluster.startAll();
  for (const nodeId of cluster.ids) {
    const node = cluster.node(nodeId);
    const calls: HealthCalls = {
      ask: (address) => answerOf(nodeId, address),
      keepOnly: () => undefined,
      close: () => undefined,
    };
    const watched = {
      status: () => node.status(),
      readiness: () => node.readiness(),
      peerAddress: `node-${nodeId}:9190`,
    };
    const monitor = new HealthMonitor({ node: watched, calls, clock: cluster.clock });
    monitors.set(nodeId, monitor);
    monitor.start();
  }
  await allSay([1, 2, 3], 'healthy', []);
}

function said(nodeId: number): { readonly state: string; readonly texts: readonly string[] } {
  const { state, reasons } = (monitors.get(nodeId) as HealthMonitor).cluster(cluster.node(nodeId).status());
  return { state, texts: reasons.map(({ text }) => text) };
}

/** Waits until all of them say exactly this. */
async function allSay(nodeIds: readonly number[], state: string, texts: readonly string[]): Promise<void> {
  const expected = JSON.stringify({ state, texts });
  const allDo = () => nodeIds.every((nodeId) => JSON.stringify(said(nodeId)) === expected);
  await cluster.until(`all say ${expected}`, allDo).catch(() => undefined);
  expect(nodeIds.map(said)).toEqual(nodeIds.map(() => ({ state, texts })));
}

const others = (gone: number) => cluster.ids.filter((nodeId) => nodeId !== gone);

test('a node that dies makes the cluster degraded at all that are left, a second one unavailable', async () => {
  await three();
  const gone = cluster.leader(1) as number;
  await cluster.stop(gone);
  await allSay(others(gone), 'degraded', [`node ${gone} is down`]);
  const [second, last] = others(gone) as [number, number];
  await cluster.stop(second);
  const [a, b] = [gone, second].sort((x, y) => x - y);
  const lost = [0, 1].map(
    (groupId) => `group ${groupId} has no quorum: 1 of 3 voters take writes, 2 must (node ${a}: down; node ${b}: down)`,
  );
  await allSay([last], 'unavailable', [...lost, `node ${a} is down`, `node ${b} is down`]);
});

test('a disk that is full makes it degraded at all nodes until there is space', async () => {
  await three();
  const full = cluster.leader(1) as number;
  const error = { kind: 'error', code: 'ENOSPC' } as const;
  const rule = { operation: 'write', path: /\/groups\/1\//, times: Number.POSITIVE_INFINITY, effect: error } as const;
  const heal = cluster.disks.get(full)?.inject(rule);
  const waiting = put(cluster.node(full), 'a', 'x').catch(() => undefined);
  await allSay([1, 2, 3], 'degraded', [`node ${full} takes no writes of group 1: the disk is full`]);
  heal?.();
  await cluster.during(waiting);
  await allSay([1, 2, 3], 'healthy', []);
});

test('a disk that does not answer makes it degraded at all nodes until it does', async () => {
  await three();
  const stalled = cluster.leader(1) as number;
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  cluster.disks
    .get(stalled)
    ?.inject({ operation: 'sync', path: /\/wal\//, effect: { kind: 'stall', release: released } });
  const waiting = put(cluster.node(stalled), 'a', 'x').catch(() => undefined);
  await allSay([1, 2, 3], 'degraded', [`node ${stalled} takes no writes of groups 0, 1: the disk does not answer`]);
  release();
  await cluster.during(waiting);
  await allSay([1, 2, 3], 'healthy', []);
});

test('a node that is cut off says that it sees no quorum, the others that it is down', async () => {
  await three();
  const alone = cluster.leader(1) as number;
  cluster.network.cut(alone);
  await allSay(others(alone), 'degraded', [`node ${alone} is down`]);
  await cluster.until('it sees no quorum', () => said(alone).state === 'unavailable');
  cluster.network.heal();
  await allSay([1, 2, 3], 'healthy', []);
});
