import { expect, test } from 'vitest';
import type { GroupState, NodeReport } from '../connection.js';
import { createMemoryNode, memoryGroup, memoryStatus } from '../testing/memory-connection.js';
import { runCommand } from '../testing/run-command.js';

const members = { voters: [1, 2, 3], votersOutgoing: [], learners: [4], learnersNext: [] };

function reportOf(nodeId: number, ...groups: GroupState[]): NodeReport {
  const status = memoryStatus();
  const node = { ...status.node, nodeId };
  return { node, status: { ...status, node, groups } };
}

function clusterOf(): NodeReport[] {
  const leading: GroupState = {
    ...memoryGroup,
    term: 7,
    configuration: members,
    replicas: [
      { nodeId: 2, matchIndex: 12_345, state: 'replicate', isLearner: false, isActive: true, snapshotSent: undefined },
      { nodeId: 4, matchIndex: 0, state: 'snapshot', isLearner: true, isActive: true, snapshotSent: 0.427 },
    ],
  };
  const following: GroupState = {
    ...memoryGroup,
    role: 'follower',
    term: 7,
    appliedIndex: 12_300,
    leaderHeardMsAgo: 40,
    configuration: members,
  };
  // It has not heard yet that it was deposed.
  const deposed: GroupState = { ...memoryGroup, term: 6, commitIndex: 12_400 };
  const learning: GroupState = { ...following, isLearner: true, appliedIndex: 0, leaderHeardMsAgo: undefined };
  return [
    reportOf(4, learning),
    reportOf(1, leading),
    { node: { ...memoryStatus().node, nodeId: 3 }, problem: 'refused' },
    reportOf(2, following),
    reportOf(5, deposed),
  ];
}

test('groups names the leader of the highest term, and who belongs to the group', async () => {
  const node = createMemoryNode();
  node.reports = clusterOf();
  const { stdout, stderr, code } = await runCommand(['groups'], { node });
  expect(code).toBe(0);
  expect(stderr).toContain('node 3 did not answer: refused');
  const [titles, row] = stdout.split('\n');
  expect(titles?.split(/\s+/)).toEqual(['GROUP', 'LEADER', 'TERM', 'COMMIT', 'VOTERS', 'LEARNERS', 'SLOTS', 'STATE']);
  expect(row?.trim().split(/\s+/)).toEqual(['1', '1', '7', '12345', '1,2,3', '4', '1024', 'ok']);
});

test('replicas show role, lag behind what the leader committed, and how the leader sees them', async () => {
  const node = createMemoryNode();
  node.reports = clusterOf();
  const json = JSON.parse((await runCommand(['replicas', '-o', 'json'], { node })).stdout);
  expect(json).toMatchObject([
    { groupId: 1, nodeId: 1, role: 'leader', lag: 0, leaderHeardMsAgo: 0 },
    { groupId: 1, nodeId: 2, role: 'follower', lag: 45, leaderHeardMsAgo: 40, progress: 'replicate' },
    { groupId: 1, nodeId: 4, role: 'learner', lag: 12_345, progress: 'snapshot 42 %' },
    { groupId: 1, nodeId: 5, role: 'leader', term: 6, lag: 0 },
  ]);
  const table = (await runCommand(['replicas'], { node })).stdout;
  expect(table).toMatch(/learner.*never.*snapshot 42 %/);
  expect(table).toMatch(/follower.*40 ms ago/);
});

test('a group without a leader, one that changes and one that sleeps are told apart', async () => {
  const node = createMemoryNode();
  const follower = { ...memoryGroup, role: 'follower', leaderNodeId: 0 };
  const changing = { ...memoryGroup, groupId: 2, configuration: { ...members, votersOutgoing: [1, 5] } };
  const asleep = { ...memoryGroup, groupId: 3, isAsleep: true };
  node.reports = [reportOf(1, follower, changing, asleep)];
  const { stdout } = await runCommand(['groups'], { node });
  expect(stdout).toMatch(/^ +1 +- +1 .*no leader$/m);
  expect(stdout).toMatch(/^ +2 +1 .*1,5 -> 1,2,3 .*changing$/m);
  expect(stdout).toMatch(/^ +3 +1 .*asleep$/m);
  const replicas = JSON.parse((await runCommand(['replicas', '-o', 'json'], { node })).stdout);
  expect(replicas[0]).not.toHaveProperty('lag');
  node.reports = [1, 2, 5].map((id) => reportOf(id, changing));
  const halves = JSON.parse((await runCommand(['replicas', '-o', 'json'], { node })).stdout);
  expect(halves.map(({ joint }: { joint?: string }) => joint)).toEqual([undefined, 'incoming', 'outgoing']);
});

test('replicas --checksum names what each holds, and at which entry', async () => {
  const node = createMemoryNode();
  const [leading, following] = clusterOf().filter(({ node: { nodeId } }) => nodeId <= 2);
  node.reports = [
    { ...(leading as NodeReport), checksums: [{ groupId: 1, appliedIndex: 12_345, checksum: 'ab'.repeat(32) }] },
    following as NodeReport,
  ];
  const json = JSON.parse((await runCommand(['replicas', '--checksum', '-o', 'json'], { node })).stdout);
  expect(json[0]).toMatchObject({ nodeId: 1, appliedIndex: 12_345, checksum: 'ab'.repeat(32) });
  expect(json[1]).not.toHaveProperty('checksum');
  expect((await runCommand(['replicas', '--checksum'], { node })).stdout).toMatch(
    /CHECKSUM\n.*abababababababab\n.* -\n/,
  );
});
