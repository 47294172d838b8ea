/** Nodes that reach each other over gRPC on loopback, in one process, on the machine's own clock. */
import { createSeededRandom, type Disk } from '@shanghai/env';
import { createMemoryDisk, freePorts } from '@shanghai/env/testing';
import { afterEach, expect, test } from 'vitest';
import type { FirstMember } from '../src/first-members.js';
import type { ShanghaiNode } from '../src/node.js';
import type { NodeOptions } from '../src/node-options.js';
import { openNode } from '../src/open-node.js';
import { ServerError } from '../src/requests/server-error.js';
import { group, isReady, leaderCallsTo } from './cluster-harness.js';
import { get, put, smallOptions } from './core-harness.js';

const nodes: ShanghaiNode[] = [];
let starts = 0;

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close(0).catch(() => undefined)));
});

async function membersOf(count: number): Promise<FirstMember[]> {
  return (await freePorts(count)).map((port, i) => ({ nodeId: i + 1, peerAddress: `127.0.0.1:${port}` }));
}

async function start(
  nodeId: number,
  initialMembers: readonly FirstMember[],
  disk: Disk,
  more: Partial<NodeOptions> = {},
) {
  const node = await openNode({
    dataDirectory: 'data',
    nodeId,
    initialMembers,
    disk,
    random: createSeededRandom(1000 * nodeId + ++starts),
    raft: { tickMs: 50, electionTicks: 10 },
    addresses: { grpc: `node-${nodeId}:1`, http: '' },
    leaderCalls: () => leaderCallsTo(nodeAt),
    ...smallOptions,
    ...more,
  });
  nodes.push(node);
  return node;
}

function nodeAt(address: string): ShanghaiNode {
  const node = nodes.find((one) => address === `node-${one.status().nodeId}:1`);
  if (node === undefined) throw new ServerError('CLUSTER_ERROR', `'${address}' cannot be reached`);
  return node;
}

/** Resolves when it holds; looked at again whenever something may have changed. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

function leaderOf(groupId: number): ShanghaiNode | undefined {
  return nodes.find((node) => group(node, groupId).role === 'leader');
}

/** Does it again while it is refused for want of a leader, or of the settings: on a busy machine elections happen. */
async function withLeader<Result>(work: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isTemporary = error instanceof ServerError && ['CLUSTER_ERROR', 'SERVICE_UNAVAILABLE'].includes(error.code);
      if (!isTemporary) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

test('three nodes elect, replicate, lose their leader and go on', async () => {
  const members = await membersOf(3);
  const disks = members.map(() => createMemoryDisk());
  for (const [i, { nodeId }] of members.entries()) await start(nodeId, members, disks[i] as Disk);
  await until(() => nodes.every(isReady));
  let leader = leaderOf(1) as ShanghaiNode;
  await Promise.all(
    Array.from({ length: 50 }, (_, i) => withLeader(() => put(leaderOf(1) ?? leader, `k${i}`, `v${i}`))),
  );
  for (const node of nodes) expect(await withLeader(() => get(node, 'k49'))).toBe('v49');
  leader = leaderOf(1) ?? leader;
  const { nodeId } = leader.status();
  nodes.splice(nodes.indexOf(leader), 1);
  await leader.close(0);
  await until(() => leaderOf(0) !== undefined && leaderOf(1) !== undefined);
  await withLeader(() => put(leaderOf(1) as ShanghaiNode, 'after', 'x'));
  for (const node of nodes) expect(await withLeader(() => get(node, 'after'))).toBe('x');
  const again = await start(nodeId, members, disks[nodeId - 1] as Disk);
  await until(() => isReady(again));
  expect(await withLeader(() => get(again, 'after'))).toBe('x');
});

test('a node of another cluster, by its token, is refused by the others and says why', async () => {
  const members = await membersOf(3);
  const refusals: string[] = [];
  const listener = { refused: ({ reason }: { reason: string }) => void refusals.push(reason) };
  for (const { nodeId } of members.slice(0, 2)) await start(nodeId, members, createMemoryDisk());
  const stranger = await start(3, members, createMemoryDisk(), { clusterToken: 'another', peers: { listener } });
  await until(() => refusals.length > 0);
  expect(refusals.join()).toContain('cluster');
  const waitsFor3 = (node: ShanghaiNode) =>
    node.readiness().some(({ detail }) => detail.endsWith('not heard yet: node 3'));
  await until(() => nodes.slice(0, 2).every(waitsFor3));
  nodes.splice(nodes.indexOf(stranger), 1);
  await stranger.close(0);
  await start(3, members, createMemoryDisk());
  await until(() => nodes.every(isReady));
});

test('a registered node whose directory was emptied is refused under its old id', async () => {
  const members = await membersOf(3);
  const disks = members.map(() => createMemoryDisk());
  for (const [i, { nodeId }] of members.entries()) await start(nodeId, members, disks[i] as Disk);
  await until(() => nodes.every((node) => node.status().nodes?.length === 3));
  const [replaced] = nodes.splice(2, 1);
  await replaced?.close(0);
  const refusals: string[] = [];
  const listener = { refused: ({ reason }: { reason: string }) => void refusals.push(reason) };
  const empty = await start(3, members, createMemoryDisk(), { peers: { listener } });
  await until(() => refusals.length > 0);
  expect(refusals.join()).toContain('instance');
  await until(() => leaderOf(1) !== undefined && leaderOf(1) !== empty);
  await withLeader(() => put(leaderOf(1) as ShanghaiNode, 'a', '1'));
  expect(isReady(empty)).toBe(false);
  expect(group(empty, 1)).toMatchObject({ leaderNodeId: 0, appliedIndex: 1 });
});

test('a node that moved to another address tells the others, and is one of them again', async () => {
  const members = await membersOf(3);
  const disks = members.map(() => createMemoryDisk());
  for (const [i, { nodeId }] of members.entries()) await start(nodeId, members, disks[i] as Disk);
  await until(() => nodes.every((node) => node.status().nodes?.length === 3));
  const [moved] = nodes.splice(2, 1);
  await moved?.close(0);
  const [port = 0] = await freePorts(1);
  const again = await start(3, members, disks[2] as Disk, { peers: { port } });
  await until(() => isReady(again));
  const addressIn = (node: ShanghaiNode) => node.status().nodes?.find(({ nodeId }) => nodeId === 3)?.peerAddress;
  await until(() => nodes.every((node) => addressIn(node) === `127.0.0.1:${port}`));
});
