import { describe, expect, test } from 'vitest';
import type { ClusterSight, NodeReport } from './cluster-sight.js';
import { clusterView } from './cluster-view.js';
import type { SeenGroup, SeenMember } from './seen-group.js';

const electionMs = 1_000;
const open = { name: 'accepting', ok: true, detail: 'requests are taken' };

function member(nodeId: number, more: Partial<SeenMember> = {}): SeenMember {
  const settled = { matchIndex: 10, state: 'replicate', isLearner: false, isActive: true, snapshotSent: undefined };
  return { nodeId, ...settled, ...more };
}

/** A copy of group 1 of voters 1, 2, 3, led by node 1. */
function copy(nodeId: number, more: Partial<SeenGroup> = {}): SeenGroup {
  const leads = nodeId === 1;
  return {
    groupId: 1,
    role: leads ? 'leader' : 'follower',
    leaderNodeId: 1,
    term: 4,
    firstIndex: 1,
    lastIndex: 10,
    commitIndex: 10,
    appliedIndex: 10,
    durableAppliedIndex: 5,
    isLearner: false,
    isAsleep: false,
    state: 'open',
    leaderHeardMsAgo: leads ? 0 : 50,
    voters: [1, 2, 3],
    votersOutgoing: [],
    learners: [],
    members: leads ? [member(2), member(3)] : [],
    ...more,
  };
}

function report(nodeId: number, group: SeenGroup, more: Partial<NodeReport> = {}): NodeReport {
  return { nodeId, instanceId: `i${nodeId}`, ageMs: 400, groups: [group], checks: [open], ...more };
}

/** What node `nodeId` sees where nothing is wrong. */
function sight(nodeId: number, more: Partial<ClusterSight> = {}): ClusterSight {
  const others = [1, 2, 3].filter((other) => other !== nodeId);
  return {
    nodeId,
    uptimeMs: 60_000,
    electionMs,
    nodeIds: [1, 2, 3],
    reservedIds: [],
    groups: [copy(nodeId)],
    checks: [open],
    heardMsAgo: new Map(others.map((other) => [other, 100])),
    reports: others.map((other) => report(other, copy(other))),
    stuck: [],
    ...more,
  };
}

const texts = (of: ClusterSight) => clusterView(of).reasons.map(({ text }) => text);

describe('a cluster of three', () => {
  test('is healthy at every node where nothing is wrong', () => {
    for (const nodeId of [1, 2, 3]) expect(clusterView(sight(nodeId))).toMatchObject({ state: 'healthy', reasons: [] });
  });

  test('is degraded with a node down, at the leader and at a follower alike', () => {
    const leading = copy(1, { members: [member(2), member(3, { isActive: false })] });
    const gone = { heardMsAgo: new Map([[2, 50]]), groups: [leading], reports: [report(2, copy(2))] };
    const atLeader = clusterView(sight(1, gone));
    const atFollower = clusterView(
      sight(2, { heardMsAgo: new Map([[1, 50]]), reports: [report(1, leading), report(3, copy(3), { ageMs: 9_000 })] }),
    );
    expect(atLeader).toEqual(atFollower);
    expect(atLeader).toMatchObject({ state: 'degraded', reasons: [{ nodeId: 3, text: 'node 3 is down' }] });
    expect([...atLeader.nodes]).toEqual([
      [1, 'up'],
      [2, 'up'],
      [3, 'down'],
    ]);
  });

  test('is unavailable where one is left, which sees no leader', () => {
    const alone = sight(3, {
      heardMsAgo: new Map([[1, 20_000]]),
      groups: [copy(3, { leaderNodeId: 0, leaderHeardMsAgo: 20_000 })],
      reports: [],
    });
    expect(clusterView(alone)).toMatchObject({ state: 'unavailable' });
    expect(texts(alone)).toEqual([
      'group 1 has no quorum: 1 of 3 voters take writes, 2 must (node 1: down; node 2: down)',
      'node 1 is down',
      'node 2 is down',
    ]);
  });

  test('is unavailable between leaders, although everybody is up', () => {
    const none = { leaderNodeId: 0, role: 'follower', members: [] };
    const electing = sight(2, {
      groups: [copy(2, none)],
      reports: [report(1, copy(1, none)), report(3, copy(3, none))],
    });
    expect(texts(electing)).toEqual(['group 1 has no leader']);
  });

  test('has a leader where a follower hears it and it was not asked yet', () => {
    expect(clusterView(sight(2, { reports: [] }))).toMatchObject({ state: 'healthy' });
  });

  test('has none where what follows it has not heard it for long and nobody says that it leads', () => {
    const lost = sight(2, { groups: [copy(2, { leaderHeardMsAgo: 9_000 })], reports: [report(3, copy(3))] });
    expect(texts(lost)).toEqual(['group 1 has no leader']);
  });

  test('is degraded by a full or silent disk, which a follower learns from the node itself', () => {
    const full = copy(3, { state: 'full' });
    const space = { name: 'space', ok: false, detail: 'the disk is full (group 1)' };
    const seen = sight(2, { reports: [report(1, copy(1)), report(3, full, { checks: [open, space] })] });
    expect(clusterView(seen)).toMatchObject({ state: 'degraded' });
    expect(texts(seen)).toEqual(['node 3 takes no writes of group 1: the disk is full']);
    expect(texts(sight(3, { groups: [copy(3, { state: 'stalled' })] }))).toEqual([
      'node 3 takes no writes of group 1: the disk does not answer',
    ]);
  });

  test('is unavailable where the disks of two are full', () => {
    const seen = sight(1, {
      reports: [report(2, copy(2, { state: 'full' })), report(3, copy(3, { state: 'full' }))],
    });
    expect(clusterView(seen).state).toBe('unavailable');
    expect(texts(seen)[0]).toContain('node 2: the disk is full; node 3: the disk is full');
  });

  test('is degraded by a voter that answers and that the leader does not hear', () => {
    const leading = copy(1, { members: [member(2), member(3, { isActive: false })] });
    const seen = sight(2, { reports: [report(1, leading), report(3, copy(3))] });
    expect(texts(seen)).toEqual(['node 3 takes no writes of group 1: the leader does not hear it']);
  });

  test('is degraded by a node that stops, by a wrong clock and by a member that gets nothing', () => {
    const checks = [
      { name: 'accepting', ok: false, detail: 'the node is closing' },
      { name: 'clock', ok: false, detail: 'off by 12.0 s' },
      { name: 'leader', ok: false, detail: 'there is none (group 1)' },
    ];
    const seen = sight(1, {
      reports: [report(2, copy(2), { checks }), report(3, copy(3))],
      stuck: [{ groupId: 1, nodeId: 3, isLearner: true }],
    });
    expect(texts(seen)).toEqual([
      'node 2 is stopping',
      'node 2 (clock): off by 12.0 s',
      'node 3 lacks entries of group 1 and gets none, as a learner',
    ]);
  });

  test('says nothing of nodes that it had no time to hear', () => {
    const fresh = sight(2, { uptimeMs: 500, heardMsAgo: new Map(), reports: [] });
    expect(clusterView(fresh)).toMatchObject({ state: 'healthy' });
    expect(clusterView(fresh).nodes.get(3)).toBe('unknown');
  });
});

test('a node that never came is not missed', () => {
  const seen = sight(1, { nodeIds: [1, 2, 3, 4], reservedIds: [4] });
  expect(clusterView(seen)).toMatchObject({ state: 'healthy' });
  expect(clusterView(seen).nodes.get(4)).toBe('down');
});

test('while voters change both sets need a quorum', () => {
  const joint = copy(1, {
    voters: [1, 4, 5],
    votersOutgoing: [1, 2, 3],
    members: [2, 3, 4, 5].map((nodeId) => member(nodeId, { isActive: nodeId < 4 })),
  });
  const heardMsAgo = new Map([2, 3].map((nodeId) => [nodeId, 50]));
  const seen = sight(1, { nodeIds: [1, 2, 3, 4, 5], groups: [joint], heardMsAgo, reports: [] });
  expect(clusterView(seen)).toMatchObject({ state: 'unavailable' });
  expect(texts(seen)[0]).toBe('group 1 has no quorum: 1 of 3 voters take writes, 2 must (node 4: down; node 5: down)');
});

test('a leader of an earlier term does not count where there is a newer one', () => {
  const old = copy(1, { term: 3, members: [member(2, { isActive: false }), member(3, { isActive: false })] });
  const newer = copy(2, { role: 'leader', leaderNodeId: 2, term: 4, members: [member(1), member(3)] });
  const seen = sight(3, { groups: [copy(3, { leaderNodeId: 2 })], reports: [report(1, old), report(2, newer)] });
  expect(clusterView(seen)).toMatchObject({ state: 'healthy' });
});

test('a node alone whose disk is full is unavailable', () => {
  const alone = copy(1, { voters: [1], members: [], state: 'full' });
  const seen = sight(1, { nodeIds: [1], groups: [alone], heardMsAgo: new Map(), reports: [] });
  expect(clusterView(seen).state).toBe('unavailable');
});
