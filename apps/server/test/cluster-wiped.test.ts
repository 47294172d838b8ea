/** Whole nodes on real sockets: data directories that are not what they were come back under their old ids. */
import { createFaultDisk, type FaultDisk, freePorts } from '@shanghai/env/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FirstMember } from '../src/first-members.js';
import type { ShanghaiNode } from '../src/node.js';
import type { NodeOptions } from '../src/node-options.js';
import { openNode } from '../src/open-node.js';
import { recoverNode } from '../src/recover/recover-node.js';
import { ServerError } from '../src/requests/server-error.js';
import { isReady, leaderCallsTo } from './cluster-harness.js';
import { get, put, smallOptions } from './core-harness.js';

const quick = { tickMs: 40, electionTicks: 10 };
const ids = [1, 2, 3] as const;

let members: readonly FirstMember[];
const disks = new Map<number, FaultDisk>();
const nodes = new Map<number, ShanghaiNode>();
const failures = new Map<number, Error>();

beforeEach(async () => {
  members = (await freePorts(3)).map((port, i) => ({ nodeId: i + 1, peerAddress: `127.0.0.1:${port}` }));
});
afterEach(async () => {
  await Promise.all([...nodes.values()].map((node) => node.close(0).catch(() => undefined)));
  for (const map of [disks, nodes, failures]) map.clear();
});

async function start(nodeId: number, more: Partial<NodeOptions> = {}): Promise<void> {
  const disk = disks.get(nodeId) ?? createFaultDisk({ seed: nodeId });
  disks.set(nodeId, disk);
  const node = await openNode({
    dataDirectory: 'data',
    disk,
    nodeId,
    initialMembers: members,
    raft: quick,
    addresses: { grpc: `node-${nodeId}` },
    leaderCalls: () => leaderCallsTo((address) => nodes.get(Number(address.slice(5))) as ShanghaiNode),
    listener: { failed: ({ error }) => failures.set(nodeId, error) },
    ...smallOptions,
    ...more,
  });
  nodes.set(nodeId, node);
}

async function stop(nodeId: number): Promise<void> {
  await nodes.get(nodeId)?.close(0);
  nodes.delete(nodeId);
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function startAll(): Promise<void> {
  await Promise.all(ids.map((nodeId) => start(nodeId)));
  await until(() => [...nodes.values()].every((node) => isReady(node) && node.status().nodes?.length === 3));
}

/** At whoever leads, again while nobody does: on a busy machine elections happen. */
async function atLeader<Result>(work: (node: ShanghaiNode) => Promise<Result>): Promise<Result> {
  for (;;) {
    const leader = [...nodes.values()].find((node) => node.status().groups[1]?.role === 'leader');
    try {
      if (leader !== undefined) return await work(leader);
    } catch (error) {
      if (!(error instanceof ServerError) || error.code !== 'CLUSTER_ERROR') throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const replaced = {
  code: 'REPLACED',
  message: expect.stringMatching(/this directory is new, or was emptied, .*--join .*shanghaictl node replace/),
};

test('a wiped node that starts again as it did first is told by the others that it is another one, and ends', async () => {
  await startAll();
  await atLeader((node) => put(node, 'a', '1'));
  await stop(2);
  disks.delete(2);
  await start(2).catch((error: Error) => failures.set(2, error));
  await until(() => failures.has(2));
  expect(failures.get(2)).toMatchObject(replaced);
  const roles = nodes
    .get(2)
    ?.status()
    .groups.map(({ role, leaderNodeId, appliedIndex }) => ({ role, leaderNodeId, appliedIndex }));
  for (const group of roles ?? []) expect(group).toEqual({ role: 'follower', leaderNodeId: 0, appliedIndex: 1 });
  expect(await atLeader((node) => get(node, 'a'))).toBe('1');
});

test('two of three nodes that were wiped make no empty cluster, whether the third one is there to refuse them or not', async () => {
  await startAll();
  await atLeader((node) => put(node, 'a', '1'));
  for (const nodeId of ids) await stop(nodeId);
  for (const nodeId of [1, 2]) disks.delete(nodeId);
  await start(1);
  await start(2);
  const untilMet = () => [1, 2].every((nodeId) => waitsFor(nodeId) === '3');
  await until(untilMet);
  // Several election timeouts.
  const ticks = 50;
  const begunMs = Date.now();
  await until(() => Date.now() - begunMs > ticks * quick.tickMs);
  for (const nodeId of [1, 2]) {
    expect(
      nodes
        .get(nodeId)
        ?.status()
        .groups.map(({ term, leaderNodeId }) => [term, leaderNodeId]),
    ).toEqual([
      [1, 0],
      [1, 0],
    ]);
  }
  await start(3);
  await until(() => failures.has(1) && failures.has(2));
  for (const nodeId of [1, 2]) expect(failures.get(nodeId)).toMatchObject(replaced);
  expect(failures.has(3)).toBe(false);
});

function waitsFor(nodeId: number): string | undefined {
  const reason = nodes
    .get(nodeId)
    ?.readiness()
    .find(({ name }) => name === 'cluster')?.detail;
  return /not heard yet: node ([\d, ]+)$/.exec(reason ?? '')?.[1];
}

test('a directory that is copied while the others run is refused at its start', async () => {
  await startAll();
  await stop(3);
  const original = disks.get(3) as FaultDisk;
  const copy = createFaultDisk({ seed: 33 });
  for (const path of original.files()) copy.setContents(path, Buffer.from(original.contents(path) as Uint8Array));
  disks.set(3, copy);
  const identity = JSON.parse(Buffer.from(copy.contents('data/node.json') as Uint8Array).toString());
  const told = { ...identity, wal: { ...identity.wal, inode: identity.wal.inode + 1000 } };
  copy.setContents('data/node.json', Buffer.from(JSON.stringify(told)));
  await expect(start(3, { initialMembers: [] })).rejects.toMatchObject({
    code: 'REPLACED',
    message: expect.stringContaining('was copied, restored or repaired'),
  });
  expect(await atLeader((node) => get(node, 'a'))).toBeUndefined();
});

test('nodes that were given up in a recovery and come back with what they have are told so, and end', async () => {
  await startAll();
  await atLeader((node) => put(node, 'a', '1'));
  for (const nodeId of ids) await stop(nodeId);
  await recoverNode({ dataDirectory: 'data', isConsented: true, disk: disks.get(3) as FaultDisk });
  await start(3);
  await until(() => isReady(nodes.get(3) as ShanghaiNode));
  for (const nodeId of [1, 2]) await start(nodeId).catch((error: Error) => failures.set(nodeId, error));
  await until(() => failures.has(1) && failures.has(2));
  for (const nodeId of [1, 2]) {
    expect(failures.get(nodeId)).toMatchObject({ code: 'REMOVED' });
    if (nodes.has(nodeId)) await stop(nodeId);
    await expect(start(nodeId)).rejects.toMatchObject({ code: 'REMOVED' });
  }
  expect(await get(nodes.get(3) as ShanghaiNode, 'a')).toBe('1');
});

test('a node alone whose log was repaired records its new instance and goes on', async () => {
  disks.set(1, createFaultDisk({ seed: 1 }));
  await start(1, { initialMembers: [] });
  await put(nodes.get(1) as ShanghaiNode, 'a', '1');
  const before = nodes.get(1)?.status().instanceId;
  await stop(1);
  disks.get(1)?.setContents('data/wal/repaired.json', Buffer.from('{}'));
  await start(1, { initialMembers: [] });
  const { instanceId, nodes: table } = (nodes.get(1) as ShanghaiNode).status();
  expect(instanceId).not.toBe(before);
  await until(() => nodes.get(1)?.status().nodes?.[0]?.instanceId === instanceId);
  expect(table).toHaveLength(1);
  expect(await get(nodes.get(1) as ShanghaiNode, 'a')).toBe('1');
});
