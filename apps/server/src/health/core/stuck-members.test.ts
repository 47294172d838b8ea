import { expect, test } from 'vitest';
import type { Copy } from './cluster-sight.js';
import type { SeenMember } from './seen-group.js';
import { StuckMembers, stuckMs } from './stuck-members.js';

function leading(members: readonly Partial<SeenMember>[]): readonly Copy[] {
  const all = members.map((member) => ({
    nodeId: 2,
    matchIndex: 5,
    state: 'replicate',
    isLearner: false,
    isActive: true,
    snapshotSent: undefined,
    ...member,
  }));
  const group = {
    groupId: 1,
    role: 'leader',
    leaderNodeId: 1,
    term: 1,
    firstIndex: 1,
    lastIndex: 10,
    commitIndex: 10,
    appliedIndex: 10,
    durableAppliedIndex: 10,
    isLearner: false,
    isAsleep: false,
    state: 'open',
    leaderHeardMsAgo: 0,
    voters: [1, 2],
    votersOutgoing: [],
    learners: [],
    members: all,
  };
  return [{ nodeId: 1, group }];
}

test('a member that lacks entries and does not advance for long is stuck, until it advances', () => {
  const watch = new StuckMembers();
  expect(watch.look(leading([{}]), 0)).toEqual([]);
  expect(watch.look(leading([{}]), stuckMs - 1)).toEqual([]);
  expect(watch.look(leading([{}]), stuckMs)).toEqual([{ groupId: 1, nodeId: 2, isLearner: false }]);
  expect(watch.look(leading([{ matchIndex: 6 }]), stuckMs + 1)).toEqual([]);
});

test('a snapshot on its way is progress', () => {
  const watch = new StuckMembers();
  for (let second = 0; second < 100; second += 10) {
    const sent = leading([{ isLearner: true, state: 'snapshot', snapshotSent: second / 100 }]);
    expect(watch.look(sent, second * 1000)).toEqual([]);
  }
});

test('who has everything, and who is not heard, is not stuck', () => {
  const watch = new StuckMembers();
  for (const nowMs of [0, stuckMs, 2 * stuckMs]) {
    expect(watch.look(leading([{ matchIndex: 10 }, { nodeId: 3, isActive: false }]), nowMs)).toEqual([]);
  }
});
