import { describe, expect, test } from 'vitest';
import { createMessage } from '../src/core/message.js';
import { MemoryGroup } from '../src/testing/memory-group.js';
import { LoneNode } from './lone-node.js';

/** The rounds that heartbeats ask to be confirmed. */
function rounds(node: LoneNode): number[] {
  return node
    .take('MsgHeartbeat')
    .filter(({ to }) => to === 2)
    .map(({ context }) => context);
}

function confirm(node: LoneNode, from: number, round: number): void {
  node.step({ type: 'MsgHeartbeatResp', from, term: node.raft.marks().term, context: round });
}

describe('reads that a majority confirms', () => {
  test('a read is confirmed by a round that began after it came, never by an answer that was on its way', () => {
    const node = new LoneNode().lead();
    node.raft.readIndex(1);
    node.work();
    const [first] = rounds(node);
    node.raft.readIndex(2);
    node.work();
    const [second] = rounds(node);
    expect(second).toBeGreaterThan(first as number);
    confirm(node, 2, first as number);
    expect(node.readStates.map(({ context }) => context)).toEqual([1]);
    confirm(node, 2, second as number);
    expect(node.readStates.map(({ context }) => context)).toEqual([1, 2]);
  });

  test('the same answer twice, after a read with the same number, confirms nothing', () => {
    const node = new LoneNode().lead();
    node.raft.readIndex(7);
    node.work();
    const [round] = rounds(node) as [number];
    confirm(node, 2, round);
    node.raft.readIndex(7);
    node.work();
    confirm(node, 2, round);
    confirm(node, 3, round);
    expect(node.readStates).toHaveLength(1);
  });

  test('reads that come before heartbeats leave share their round', () => {
    const node = new LoneNode().lead();
    for (const context of [1, 2, 3]) node.raft.readIndex(context);
    node.work();
    const [round, ...more] = rounds(node) as [number];
    expect(more).toEqual([]);
    confirm(node, 3, round);
    expect(node.readStates.map(({ context }) => context)).toEqual([1, 2, 3]);
  });

  test('a lost round is asked for again by the next heartbeat', () => {
    const node = new LoneNode().lead();
    node.raft.readIndex(1);
    node.work();
    const [round] = rounds(node);
    node.tick(1);
    expect(rounds(node)).toEqual([round]);
  });

  test('the index is fixed when the read comes', () => {
    const node = new LoneNode().lead();
    node.raft.readIndex(1);
    node.work();
    const [round] = rounds(node) as [number];
    node.raft.propose(new Uint8Array(1));
    node.work();
    node.acknowledge(2, 2);
    confirm(node, 2, round);
    expect(node.readStates).toEqual([{ index: 1, context: 1 }]);
  });

  test('learners confirm nothing', () => {
    const node = new LoneNode({ conf: { voters: [1, 2, 3], learners: [4, 5] } }).lead();
    node.raft.readIndex(1);
    node.work();
    const [round] = rounds(node) as [number];
    confirm(node, 4, round);
    confirm(node, 5, round);
    expect(node.readStates).toEqual([]);
  });

  test('in a joint configuration both majorities confirm', () => {
    const node = new LoneNode({ conf: { voters: [1, 4, 5], votersOutgoing: [1, 2, 3] } }).lead();
    node.raft.readIndex(1);
    node.work();
    const [round] = rounds(node) as [number];
    confirm(node, 2, round);
    expect(node.readStates).toEqual([]);
    confirm(node, 4, round);
    expect(node.readStates).toHaveLength(1);
  });

  test('a leader that is cut off answers no read that the others could have overtaken', () => {
    const group = new MemoryGroup();
    const old = group.elect(1);
    group.cut(1);
    group.tick(30, 2, 3);
    group.leader()?.raft.propose(new Uint8Array(1));
    group.settle();
    old.raft.readIndex(1);
    group.tick(5);
    expect(old.readStates).toEqual([]);
    group.heal();
    group.tick(3);
    expect(old.readStates).toEqual([]);
    expect(old.droppedReads).toEqual([1]);
  });
});

describe('reads before a leader knows what is committed', () => {
  test('wait for the first commit of its term, and then for a round', () => {
    const node = new LoneNode({ log: [1, 1] }).lead(false);
    expect(node.raft.readIndex(1)).toBeUndefined();
    node.work();
    expect(rounds(node)).toEqual([]);
    node.acknowledge(2, 3);
    const [round] = rounds(node) as [number];
    expect(node.readStates).toEqual([]);
    confirm(node, 2, round);
    expect(node.readStates).toEqual([{ index: 3, context: 1 }]);
  });

  test('also where it is the only voter: what it has stored as committed may be behind what it acknowledged', () => {
    // The commit index is not synced: three entries were committed and acknowledged, and one is known to be.
    const node = new LoneNode({
      log: [1, 1, 1],
      hardState: { commit: 1 },
      conf: { voters: [1] },
      asyncStorageWrites: true,
    });
    node.raft.campaign();
    node.work();
    node.completeAppend();
    expect(node.raft.marks().state).toBe('StateLeader');
    node.raft.readIndex(1);
    node.work();
    expect(node.readStates).toEqual([]);
    node.finish();
    expect(node.readStates).toEqual([{ index: 4, context: 1 }]);
  });
});

test('a leader that has left answers no read by itself, even where one voter is left: that one may lead', () => {
  const group = new MemoryGroup({ nodes: 2 });
  const old = group.elect(1);
  group.change({ transition: 'auto', changes: [{ type: 'removeNode', nodeId: 1 }] });
  group.cut(1);
  group.node(2).raft.campaign();
  group.settle();
  group.node(2).raft.propose(new Uint8Array(1));
  group.settle();
  expect(group.node(2).raft.marks().commit).toBeGreaterThan(old.raft.marks().commit);
  old.raft.readIndex(1);
  group.tick(3);
  expect(old.readStates).toEqual([]);
});

test('a read that waits for members who leave is answered when they have left', () => {
  const group = new MemoryGroup({ nodes: 2 });
  const leader = group.elect(1);
  leader.raft.proposeConfChange({ transition: 'auto', changes: [{ type: 'removeNode', nodeId: 2 }] });
  group.work(1);
  for (const message of group.messages.splice(0)) group.deliver(message);
  group.work(2);
  leader.raft.readIndex(1);
  const answers = group.messages.splice(0);
  group.work(1);
  group.messages.length = 0;
  for (const message of answers) group.deliver(message);
  group.work(1);
  expect([...leader.raft.status().configuration.voters.incoming]).toEqual([1]);
  group.tick(2);
  expect(leader.readStates).toEqual([{ index: 2, context: 1 }]);
});

describe('reads and leaders that go', () => {
  test('reads that wait are dropped by their numbers when their leader leads no more', () => {
    const node = new LoneNode().lead();
    node.raft.readIndex(1);
    node.raft.readIndex(2);
    node.work();
    node.step({ type: 'MsgHeartbeat', from: 2, term: 9 });
    expect(node.droppedReads).toEqual([1, 2]);
    expect(node.readStates).toEqual([]);
  });

  test('reads that wait for a first commit are dropped as well', () => {
    const node = new LoneNode().lead(false);
    node.raft.readIndex(3);
    node.work();
    node.step({ type: 'MsgHeartbeat', from: 2, term: 9 });
    expect(node.droppedReads).toEqual([3]);
  });

  test('confirmations of an earlier term of the same leader confirm nothing', () => {
    const node = new LoneNode().lead();
    node.raft.readIndex(1);
    node.work();
    const [round] = rounds(node) as [number];
    node.step({ type: 'MsgHeartbeat', from: 2, term: 2 });
    node.lead();
    node.raft.readIndex(2);
    node.work();
    node.step({ type: 'MsgHeartbeatResp', from: 2, term: 1, context: round });
    expect(node.readStates).toEqual([]);
  });

  test('a follower without a leader refuses a read at once', () => {
    expect(new LoneNode().raft.readIndex(1)).toBe('noLeader');
  });

  test('a follower passes a read on, and gets the index of the leader', () => {
    const group = new MemoryGroup();
    group.elect(1).raft.propose(new Uint8Array(1));
    group.settle();
    group.node(3).raft.readIndex(5);
    group.settle();
    expect(group.node(3).readStates).toEqual([{ index: 3, context: 5 }]);
  });
});

describe('leases', () => {
  const leased = { readOnly: 'leaseBased', checkQuorum: true } as const;

  test('answer at once, from the first commit of the term on', () => {
    const node = new LoneNode(leased).lead(false);
    node.raft.readIndex(1);
    node.work();
    expect(node.readStates).toEqual([]);
    node.acknowledge(2, 1);
    expect(node.readStates).toEqual([{ index: 1, context: 1 }]);
  });

  test('answer nothing once leadership was offered to another: who was asked need not wait for the lease', () => {
    const node = new LoneNode(leased).lead();
    node.raft.transferLeader(2);
    node.work();
    expect(node.take('MsgTimeoutNow')).toHaveLength(1);
    node.raft.readIndex(1);
    node.work();
    expect(node.readStates).toEqual([]);
    // The transfer is given up here, and may still come about there.
    confirm(node, 2, 0);
    confirm(node, 3, 0);
    node.tick(11);
    expect(node.raft.status()).toMatchObject({ state: 'StateLeader', leadTransferee: 0 });
    node.raft.readIndex(2);
    node.work();
    expect(node.readStates).toEqual([]);
    confirm(node, 2, rounds(node).at(-1) as number);
    expect(node.readStates.map(({ context }) => context)).toEqual([1, 2]);
  });

  test('forbid that a follower forgets its leader, which would let it vote within the lease', () => {
    const node = new LoneNode(leased);
    node.step({ type: 'MsgHeartbeat', from: 2, term: 1 });
    node.raft.forgetLeader();
    expect(node.raft.marks().lead).toBe(2);
    const other = new LoneNode({ checkQuorum: true });
    other.step({ type: 'MsgHeartbeat', from: 2, term: 1 });
    other.raft.forgetLeader();
    expect(other.raft.marks().lead).toBe(0);
  });
});

test('no more reads wait than may', () => {
  const node = new LoneNode().lead();
  for (let context = 1; context <= 65_536; context++) expect(node.raft.readIndex(context)).toBeUndefined();
  expect(node.raft.readIndex(65_537)).toBe('tooManyReads');
  const early = new LoneNode().lead(false);
  for (let context = 1; context <= 65_536; context++) early.raft.readIndex(context);
  expect(early.raft.readIndex(65_537)).toBe('tooManyReads');
  expect(early.raft.step(createMessage({ type: 'MsgReadIndex', from: 2, term: 1, context: 1 }))).toBe('tooManyReads');
});
