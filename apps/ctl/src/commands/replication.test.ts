import { expect, test } from 'vitest';
import type { NodeReport, ReplicationFollower } from '../connection.js';
import { createMemoryNode, memoryStatus } from '../testing/memory-connection.js';
import { runCommand } from '../testing/run-command.js';

test('replication status shows what a follower lacks of an origin, and why; pause and resume name their follower', async () => {
  const node = createMemoryNode();
  node.replication = {
    nodeId: 1,
    isActive: true,
    followers: [
      {
        origin: 1,
        follower: 3,
        state: 'paused',
        reason: 'shipping was paused',
        heldEntries: 5,
        lagEntries: 7,
        lagMs: 2000,
        isShipping: false,
        positions: [],
      },
    ],
    shipping: [],
    unreachable: [2],
  };
  const { stdout, stderr } = await runCommand(['replication', 'status'], { node });
  expect(stdout).toMatch(/ORIGIN +FOLLOWER +STATE/);
  expect(stdout).toMatch(/1 +3 +paused +5 +7/);
  expect(stderr).toContain('not reached: node 2');
  await runCommand(['replication', 'pause', '3'], { node });
  await runCommand(['replication', 'resume', 'all'], { node });
  expect(node.calls).toEqual(expect.arrayContaining(['pauseReplication 3 true', 'pauseReplication all false']));
  expect((await runCommand(['replication', 'pause', 'x'], { node })).code).toBe(2);
});

function followerOf(origin: number, follower: number, more: Partial<ReplicationFollower> = {}): ReplicationFollower {
  const healthy = { state: 'healthy', reason: '', heldEntries: 5, lagEntries: 0, lagMs: 0 };
  return { origin, follower, ...healthy, isShipping: false, positions: [], ...more };
}

function reportOf(nodeId: number, ...followers: ReplicationFollower[]): NodeReport {
  const status = memoryStatus();
  const node = { ...status.node, nodeId };
  const replication = { nodeId, isActive: true, followers, shipping: [], unreachable: [] };
  return { node, status: { ...status, node, groups: [] }, replication };
}

test('replicas take what a follower lacks from whoever ships to it, else from the origin', async () => {
  const node = createMemoryNode();
  const relayed = { state: 'lagging', reason: 'it has lacked something for 2000 ms', lagEntries: 3, lagMs: 2000 };
  node.reports = [
    reportOf(3, followerOf(1, 2, { heldEntries: 1 })),
    reportOf(1, followerOf(1, 2, { state: 'disconnected' }), followerOf(1, 3, { state: 'disconnected' })),
    reportOf(2, followerOf(1, 3, { ...relayed, isShipping: true, creditEntries: 7, creditBytes: 2048 })),
  ];
  const rows = JSON.parse((await runCommand(['replicas', '-o', 'json'], { node })).stdout);
  expect(rows).toMatchObject([
    { origin: 1, follower: 2, seenBy: 1, state: 'disconnected' },
    { origin: 1, follower: 3, seenBy: 2, state: 'lagging', creditEntries: 7 },
  ]);
  const table = (await runCommand(['replicas'], { node })).stdout;
  expect(table).toMatch(/^GROUP +NODE[^\n]*\n\nORIGIN +FOLLOWER +STATE/);
  expect(table).toMatch(/1 +3 +lagging +5 +3 +2\.0 s +never +7, 2\.0 KiB +node 2 +it has lacked/);
});

test('replicas of a log show it alone, with positions by epoch; a filter nobody can follow ends the command', async () => {
  const node = createMemoryNode();
  const positions = [{ epoch: 4, heldSequence: 5, sequence: 9 }];
  node.replication = { nodeId: 1, isActive: true, followers: [], shipping: [], unreachable: [] };
  node.reports = [reportOf(1, followerOf(1, 2, { positions }))];
  const { stdout } = await runCommand(['replicas', '--log', 'events', '--origin', '1'], { node });
  expect(stdout).toMatch(/^ORIGIN +FOLLOWER[^\n]*EPOCH:POSITION/);
  expect(stdout).toMatch(/4:5\/9/);
  expect(node.calls).toContain('replication events 1');
  expect((await runCommand(['replicas', '--origin', '0'], { node })).code).toBe(2);
});
