import { describe, expect, test } from 'vitest';
import { type ConfChange, encodeConfChange } from '../src/core/configuration/conf-change.js';
import { describeConfiguration } from '../src/core/describe.js';
import type { Entry } from '../src/core/entry.js';
import { MemoryGroup } from '../src/testing/memory-group.js';
import { entryAt, LoneNode } from './lone-node.js';

const add = (nodeId: number): ConfChange => ({ transition: 'auto', changes: [{ type: 'addNode', nodeId }] });
const remove = (nodeId: number): ConfChange => ({ transition: 'auto', changes: [{ type: 'removeNode', nodeId }] });
const leave: ConfChange = { transition: 'auto', changes: [] };
const replace = (gone: number, come: number, transition: ConfChange['transition']): ConfChange => ({
  transition,
  changes: [
    { type: 'removeNode', nodeId: gone },
    { type: 'addNode', nodeId: come },
  ],
});
const changeAt = (index: number, term: number, change: ConfChange): Entry => ({
  ...entryAt(index, term),
  type: 'EntryConfChangeV2',
  data: encodeConfChange(change),
});
const configurationOf = ({ raft }: { readonly raft: LoneNode['raft'] }) =>
  describeConfiguration(raft.status().configuration);

/** Types of the entries behind `after` that a node has. */
function typesAfter(node: LoneNode, after: number): string[] {
  const entries = node.storage.entries(after + 1, node.raft.status().lastIndex + 1, Number.POSITIVE_INFINITY);
  return typeof entries === 'string' ? [] : entries.map(({ type }) => type);
}

describe('changes one after the other', () => {
  test('a change is refused, as an empty entry, until the one before it is applied', () => {
    const node = new LoneNode().lead();
    node.raft.proposeConfChange(add(4));
    node.raft.proposeConfChange(add(5));
    node.work();
    expect(typesAfter(node, 1)).toEqual(['EntryConfChangeV2', 'EntryNormal']);
    node.acknowledge(2, 3);
    expect(configurationOf(node)).toBe('voters=(1 2 3 4)');
    node.raft.proposeConfChange(add(5));
    node.work();
    expect(typesAfter(node, 3)).toEqual(['EntryConfChangeV2']);
  });

  test('a new leader takes no change before it has committed, and applied, an entry of its own term', () => {
    const node = new LoneNode({ log: [1] }).lead(false);
    node.raft.proposeConfChange(add(4));
    node.work();
    expect(typesAfter(node, 2)).toEqual(['EntryNormal']);
    node.acknowledge(2, 3);
    node.raft.proposeConfChange(add(4));
    node.work();
    expect(typesAfter(node, 3)).toEqual(['EntryConfChangeV2']);
  });

  test('a batch with two changes has one of them', () => {
    const node = new LoneNode().lead();
    const entries = [changeAt(0, 0, add(4)), changeAt(0, 0, add(5))];
    node.step({ type: 'MsgProp', from: 2, entries });
    expect(typesAfter(node, 1)).toEqual(['EntryConfChangeV2', 'EntryNormal']);
  });

  test('a change that is dropped for its size does not stand in the way of the next', () => {
    const node = new LoneNode({ maxUncommittedBytes: 30 }).lead();
    node.raft.propose(new Uint8Array(29));
    node.work();
    expect(node.raft.proposeConfChange(add(4))).toBe('tooMuchUncommitted');
    node.acknowledge(2, 2);
    node.raft.proposeConfChange(add(4));
    node.work();
    expect(typesAfter(node, 2)).toEqual(['EntryConfChangeV2']);
  });

  test('who has a committed change to apply does not campaign: it would count by an old configuration', () => {
    const node = new LoneNode({ asyncStorageWrites: true });
    const entries = [entryAt(1, 1), changeAt(2, 1, remove(3))];
    node.step({ type: 'MsgApp', from: 2, term: 1, entries, commit: 2 });
    while (node.appends.length > 0) node.completeAppend();
    expect(node.raft.marks()).toMatchObject({ commit: 2, applied: 0 });
    node.raft.campaign();
    node.tick(30);
    expect(node.raft.marks()).toMatchObject({ state: 'StateFollower', term: 1 });
    node.step({ type: 'MsgTimeoutNow', from: 2, term: 1 });
    expect(node.raft.marks().state).toBe('StateFollower');
    node.finish();
    node.raft.campaign();
    expect(node.raft.marks().state).toBe('StateCandidate');
  });

  test('two changes from the same base by leaders of two terms never make two majorities', () => {
    // Node 1 proposes to add 5, and loses its leadership before anybody hears of it; node 2 removes 1.
    const group = new MemoryGroup({ nodes: 4, raft: { preVote: true, checkQuorum: true } });
    group.elect(1);
    group.cut(1);
    group.node(1).raft.proposeConfChange(add(5));
    group.work(1);
    group.tick(30, 2, 3, 4);
    const next = group.leader();
    expect(next?.id).not.toBe(1);
    next?.raft.proposeConfChange(remove(1));
    group.settle();
    expect(configurationOf(group.node(2))).toBe('voters=(2 3 4)');
    expect(configurationOf(group.node(1))).toBe('voters=(1 2 3 4)');
    // Back again, it is told: its own change is overwritten.
    group.heal();
    group.add(5);
    group.tick(30);
    const leaders = group.nodes.filter(({ raft }) => raft.marks().state === 'StateLeader');
    expect(leaders.length).toBeLessThanOrEqual(1);
    for (const { raft } of group.nodes.slice(1, 4)) {
      expect(describeConfiguration(raft.status().configuration)).toBe('voters=(2 3 4)');
    }
  });
});

describe('joint configurations', () => {
  test('decisions need the majority of the old voters and that of the new ones', () => {
    const node = new LoneNode({ conf: { voters: [1, 4, 5], votersOutgoing: [1, 2, 3] } }).lead();
    node.raft.propose(new Uint8Array(1));
    node.work();
    node.acknowledge(2, 2);
    node.acknowledge(3, 2);
    expect(node.raft.marks().commit).toBe(1);
    node.acknowledge(4, 2);
    expect(node.raft.marks().commit).toBe(2);
  });

  test('an election needs both majorities as well', () => {
    const node = new LoneNode({ conf: { voters: [1, 4, 5], votersOutgoing: [1, 2, 3] } });
    node.raft.campaign();
    node.work();
    node.step({ type: 'MsgVoteResp', from: 4, term: 1 });
    node.step({ type: 'MsgVoteResp', from: 5, term: 1 });
    expect(node.raft.marks().state).toBe('StateCandidate');
    node.step({ type: 'MsgVoteResp', from: 2, term: 1 });
    expect(node.raft.marks().state).toBe('StateLeader');
  });

  test('an implicit one is left by itself, an explicit one is not', () => {
    for (const transition of ['auto', 'implicit', 'explicit'] as const) {
      const group = new MemoryGroup();
      group.elect(1);
      group.add(4);
      group.change(replace(3, 4, transition));
      const wanted = transition === 'explicit' ? 'voters=(1 2 4)&&(1 2 3)' : 'voters=(1 2 4)';
      expect(configurationOf(group.node(1)), transition).toBe(wanted);
      if (transition !== 'explicit') continue;
      group.change(add(5));
      expect(configurationOf(group.node(1))).toBe(wanted);
      group.change(leave);
      expect(configurationOf(group.node(1))).toBe('voters=(1 2 4)');
    }
  });

  test('one that a transfer kept from being left is left when the transfer is given up', () => {
    const node = new LoneNode().lead();
    node.raft.proposeConfChange(replace(3, 4, 'implicit'));
    node.work();
    node.raft.transferLeader(2);
    node.acknowledge(2, 2);
    expect(configurationOf(node)).toBe('voters=(1 2 4)&&(1 2 3) autoleave');
    expect(node.raft.status().lastIndex).toBe(2);
    node.tick(10);
    expect(typesAfter(node, 2)).toEqual(['EntryConfChangeV2']);
    node.acknowledge(2, 3);
    node.acknowledge(4, 3);
    expect(configurationOf(node)).toBe('voters=(1 2 4)');
  });

  test('one whose leaving was refused, and applied entries behind it, is left when they are applied', () => {
    const node = new LoneNode().lead();
    node.raft.proposeConfChange(replace(3, 4, 'implicit'));
    node.raft.propose(new Uint8Array(1));
    node.work();
    node.raft.transferLeader(2);
    node.acknowledge(2, 2);
    expect(configurationOf(node)).toContain('autoleave');
    node.raft.transferLeader(1);
    node.acknowledge(2, 3);
    node.acknowledge(4, 3);
    expect(typesAfter(node, 3)).toEqual(['EntryConfChangeV2']);
    node.acknowledge(2, 4);
    node.acknowledge(4, 4);
    expect(configurationOf(node)).toBe('voters=(1 2 4)');
  });

  test('one that a leader was lost in is left by the next leader', () => {
    const group = new MemoryGroup({ nodes: 4 });
    group.elect(1);
    group.add(5);
    group.node(1).raft.proposeConfChange(replace(4, 5, 'implicit'));
    // Everybody applies the change; what follows from it is lost with the leader.
    for (;;) {
      group.work();
      const isJoint = group.nodes.slice(0, 4).every((node) => configurationOf(node).includes('autoleave'));
      if (isJoint) break;
      const message = group.messages.shift();
      if (message === undefined) break;
      group.deliver(message);
    }
    expect(configurationOf(group.node(2))).toContain('autoleave');
    group.messages.length = 0;
    group.cut(1);
    group.tick(60, 2, 3, 4, 5);
    expect(configurationOf(group.leader() ?? group.node(1))).toBe('voters=(1 2 3 5)');
  });

  test('a voter that becomes a learner stays a voter of the old half until that is left', () => {
    const node = new LoneNode().lead();
    const change = { transition: 'explicit', changes: [{ type: 'addLearner', nodeId: 3 }] } as const;
    node.raft.proposeConfChange(change);
    node.work();
    node.acknowledge(2, 2);
    expect(configurationOf(node)).toBe('voters=(1 2)&&(1 2 3) learners_next=(3)');
    node.raft.proposeConfChange(leave);
    node.work();
    node.acknowledge(2, 3);
    expect(configurationOf(node)).toBe('voters=(1 2) learners=(3)');
  });
});

describe('those who leave', () => {
  test('are sent nothing more, and counted no more', () => {
    const node = new LoneNode({ conf: { voters: [1, 2, 3, 4] } }).lead();
    node.raft.proposeConfChange(remove(4));
    node.work();
    node.acknowledge(2, 2);
    node.acknowledge(3, 2);
    node.take();
    node.raft.propose(new Uint8Array(1));
    node.tick(1);
    expect(node.take().filter(({ to }) => to === 4)).toEqual([]);
    expect(() => node.acknowledge(4, 3)).toThrow(/no member/);
    expect(node.raft.marks().commit).toBe(2);
    node.acknowledge(2, 3);
    expect(node.raft.marks().commit).toBe(3);
  });

  test('a leader that leaves takes no more proposals, and steps down where it was told to', () => {
    for (const stepDownOnRemoval of [false, true]) {
      const group = new MemoryGroup({ raft: { stepDownOnRemoval } });
      const leader = group.elect(1);
      group.change(remove(1));
      expect(leader.raft.marks().state, `${stepDownOnRemoval}`).toBe(
        stepDownOnRemoval ? 'StateFollower' : 'StateLeader',
      );
      expect(leader.raft.propose(new Uint8Array(1))).toBe(stepDownOnRemoval ? 'noLeader' : 'notMember');
      // It tells the others that the change is committed before it goes.
      expect(configurationOf(group.node(2))).toBe('voters=(2 3)');
    }
  });

  test('a leader that leaves a group of two does not brick it', () => {
    for (const stepDownOnRemoval of [false, true]) {
      const group = new MemoryGroup({ nodes: 2, raft: { stepDownOnRemoval, preVote: true, checkQuorum: true } });
      group.elect(1);
      group.change(remove(1));
      group.cut(1);
      group.tick(40, 2);
      expect(group.node(2).raft.marks().state, `${stepDownOnRemoval}`).toBe('StateLeader');
      expect(group.node(2).raft.propose(new Uint8Array(1))).toBeUndefined();
      group.settle();
      expect(group.node(2).applied.at(-1)?.data.length).toBe(1);
    }
  });

  test('a smaller quorum commits what a larger one had not', () => {
    const node = new LoneNode({ conf: { voters: [1, 2, 3, 4] } }).lead();
    node.raft.proposeConfChange(remove(4));
    node.raft.propose(new Uint8Array(1));
    node.work();
    node.acknowledge(2, 3);
    expect(node.raft.marks().commit).toBe(1);
    node.acknowledge(3, 2);
    // The change is committed by three of four; its application leaves two of three for the entry behind it.
    expect(node.raft.marks().commit).toBe(3);
  });
});

test('a leader that a change it alone knows of took its vote from, and that has the longer log, does not stop elections', () => {
  for (const preVote of [false, true]) {
    const group = new MemoryGroup({ nodes: 2, raft: { preVote } });
    const leader = group.elect(1);
    const demote = { transition: 'auto', changes: [{ type: 'addLearner', nodeId: 1 }] } as const;
    leader.raft.proposeConfChange(demote);
    group.work(1);
    for (const message of group.messages.splice(0)) group.deliver(message);
    group.work(2);
    const answers = group.messages.splice(0);
    group.cut(2);
    // Only node 1 hears that the change is committed, and it has an entry more.
    group.node(1).raft.propose(new Uint8Array(1));
    group.work(1);
    for (const answer of answers) leader.raft.step(answer);
    group.work(1);
    group.messages.length = 0;
    expect(configurationOf(group.node(1))).toBe('voters=(2) learners=(1)');
    expect(configurationOf(group.node(2))).toBe('voters=(1 2)');
    group.restart(1);
    group.heal();
    group.tick(60);
    expect(group.node(2).raft.marks().state, `preVote ${preVote}`).toBe('StateLeader');
    expect(configurationOf(group.node(2))).toBe('voters=(2) learners=(1)');
  }
});

describe('learners', () => {
  test('vote when they are asked: the candidate may know of a promotion that they do not', () => {
    const node = new LoneNode({ conf: { voters: [2, 3], learners: [1] } });
    node.step({ type: 'MsgVote', from: 2, term: 1 });
    expect(node.take('MsgVoteResp')).toMatchObject([{ to: 2, reject: false }]);
  });

  test('do not campaign, are not counted in elections, and stay learners over a restart', () => {
    const group = new MemoryGroup();
    group.elect(1);
    group.add(4);
    group.change({ transition: 'auto', changes: [{ type: 'addLearner', nodeId: 4 }] });
    group.restart(4);
    expect(configurationOf(group.node(4))).toBe('voters=(1 2 3) learners=(4)');
    group.node(4).raft.tick();
    group.cut(1, 2, 3);
    group.tick(40, 4);
    expect(group.node(4).raft.marks()).toMatchObject({ state: 'StateFollower', term: 1 });
  });

  test('become voters, and then can lead', () => {
    const group = new MemoryGroup();
    group.elect(1);
    group.add(4);
    group.change({ transition: 'auto', changes: [{ type: 'addLearner', nodeId: 4 }] });
    group.change(add(4));
    group.node(1).raft.transferLeader(4);
    group.settle();
    expect(group.leader()?.id).toBe(4);
  });
});

describe('changes that no configuration can take', () => {
  test('throw when they are applied, and change nothing', () => {
    const { raft } = new LoneNode();
    const before = raft.status();
    const bad: readonly ConfChange[] = [
      leave,
      { transition: 'auto', changes: [1, 2, 3].map((nodeId) => ({ type: 'removeNode', nodeId }) as const) },
      { transition: 'explicit', changes: [1, 2, 3].map((nodeId) => ({ type: 'removeNode', nodeId }) as const) },
    ];
    for (const change of bad) {
      expect(() => raft.applyConfChange(change)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIGURATION' }));
      expect(raft.status()).toEqual(before);
    }
  });

  test('bytes that are no change are refused where they are proposed, and stand in nobody’s way', () => {
    const node = new LoneNode().lead();
    const garbage = { ...changeAt(0, 0, add(4)), data: Uint8Array.of(9, 9, 9) };
    expect(() => node.step({ type: 'MsgProp', from: 2, entries: [garbage] })).toThrow(
      expect.objectContaining({ code: 'CORRUPT' }),
    );
    expect(node.raft.status().lastIndex).toBe(1);
    node.raft.proposeConfChange(add(5));
    node.work();
    expect(typesAfter(node, 1)).toEqual(['EntryConfChangeV2']);
  });
});
