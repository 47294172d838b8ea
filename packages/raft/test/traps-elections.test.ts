import { describe, expect, test } from 'vitest';
import { createMessage } from '../src/core/message.js';
import { MemoryGroup } from '../src/testing/memory-group.js';
import { entriesAfter, LoneNode } from './lone-node.js';

describe('commit', () => {
  test('entries of an earlier term are not committed by counting replicas, only behind one of this term', () => {
    // Figure 8 of the Raft paper: an entry of term 2 on a majority can still be overwritten.
    const node = new LoneNode({ log: [1, 2], hardState: { term: 3 } });
    node.raft.campaign();
    node.work();
    node.step({ type: 'MsgVoteResp', from: 2, term: 4 });
    expect(node.raft.marks().state).toBe('StateLeader');
    node.acknowledge(2, 2);
    node.acknowledge(3, 2);
    expect(node.raft.marks().commit).toBe(0);
    node.acknowledge(2, 3);
    expect(node.raft.marks().commit).toBe(3);
  });

  test('a new leader appends an empty entry of its term at once', () => {
    const node = new LoneNode({ log: [1] });
    node.raft.campaign();
    node.work();
    node.take();
    node.step({ type: 'MsgVoteResp', from: 2, term: 2 });
    const [append] = node.take('MsgApp');
    expect(append?.entries.map(({ index, term, data }) => [index, term, data.length])).toEqual([[2, 2, 0]]);
  });

  test('a leader counts its own log only when that is durable', () => {
    const node = new LoneNode({ asyncStorageWrites: true }).lead();
    node.raft.propose(new Uint8Array(1));
    node.work();
    // The followers of two: one acknowledgement and the leader's own would be a majority.
    node.acknowledge(2, 2);
    expect(node.raft.marks().commit).toBe(1);
    node.completeAppend();
    expect(node.raft.marks().commit).toBe(2);
  });

  test('the only voter of a group commits and applies nothing before it is durable', () => {
    const node = new LoneNode({ asyncStorageWrites: true, conf: { voters: [1] } });
    node.raft.campaign();
    node.finish();
    node.raft.propose(new Uint8Array(1));
    node.work();
    expect(node.raft.marks().commit).toBe(1);
    expect(node.applies).toEqual([]);
    node.completeAppend();
    expect(node.raft.marks().commit).toBe(2);
    expect(node.applies.map(({ entries }) => entries.at(-1)?.index)).toEqual([2]);
  });

  test('with writing in turn, the only voter does not apply an entry in the ready that first holds it', () => {
    const node = new LoneNode({ conf: { voters: [1] } });
    node.raft.campaign();
    node.work();
    node.raft.propose(new Uint8Array(1));
    const ready = node.raft.ready();
    expect(ready.entries.map(({ index }) => index)).toEqual([2]);
    expect(ready.committedEntries).toEqual([]);
  });

  test('a state machine ahead of the stored commit index opens with a commit index raised to it', () => {
    const open = (commit: number) =>
      new LoneNode({ log: [1, 1, 1], hardState: { commit }, applied: 3, conf: { voters: [1] } });
    expect(() => open(1)).toThrow(/applied 3 after 0 of 1/);
    expect(open(3).raft.marks()).toMatchObject({ commit: 3, applied: 3 });
  });

  test('heartbeats commit no more than the follower is known to have', () => {
    const node = new LoneNode({ conf: { voters: [1, 2, 3] } }).lead(false);
    node.acknowledge(2, 1);
    expect(node.raft.marks().commit).toBe(1);
    node.take();
    node.tick(1);
    expect(node.take('MsgHeartbeat').map(({ to, commit }) => [to, commit])).toEqual([
      [2, 1],
      [3, 0],
    ]);
  });
});

describe('votes', () => {
  test('a vote leaves only when it is durable', () => {
    const node = new LoneNode({ asyncStorageWrites: true });
    node.step({ type: 'MsgVote', from: 2, term: 1 });
    expect(node.take()).toEqual([]);
    expect(node.appends[0]).toMatchObject({ term: 1, vote: 2 });
    node.completeAppend();
    expect(node.take('MsgVoteResp')).toMatchObject([{ to: 2, reject: false }]);
    expect(node.storage.initialState().hardState).toMatchObject({ term: 1, vote: 2 });
  });

  test("a candidate's own vote counts only when it is durable", () => {
    const node = new LoneNode({ asyncStorageWrites: true });
    node.raft.campaign();
    node.work();
    node.step({ type: 'MsgVoteResp', from: 2, term: 1 });
    expect(node.raft.marks().state).toBe('StateCandidate');
    node.completeAppend();
    expect(node.raft.marks().state).toBe('StateLeader');
  });

  test('a vote is kept over a restart: nobody gets two of a term', () => {
    const group = new MemoryGroup();
    group.deliver(createMessage({ type: 'MsgVote', from: 2, to: 1, term: 5, index: 1, logTerm: 1 }));
    group.work();
    group.restart(1);
    group.messages.length = 0;
    group.deliver(createMessage({ type: 'MsgVote', from: 3, to: 1, term: 5, index: 1, logTerm: 1 }));
    group.work();
    expect(group.messages).toMatchObject([{ type: 'MsgVoteResp', to: 3, reject: true }]);
  });

  test('the last term decides who is up to date, and only then the length', () => {
    const cases = [
      { log: [1, 1, 1], index: 2, logTerm: 2, isGranted: true },
      { log: [1, 2], index: 9, logTerm: 1, isGranted: false },
      { log: [1, 1, 1], index: 2, logTerm: 1, isGranted: false },
      { log: [1, 1], index: 2, logTerm: 1, isGranted: true },
      { log: [1, 1], index: 3, logTerm: 1, isGranted: true },
    ];
    for (const { log, index, logTerm, isGranted } of cases) {
      const node = new LoneNode({ log });
      node.step({ type: 'MsgVote', from: 2, term: 9, index, logTerm });
      expect(node.take('MsgVoteResp'), `${log} against ${index} of ${logTerm}`).toMatchObject([{ reject: !isGranted }]);
    }
  });

  test('votes of an earlier election do not count in the next one', () => {
    const node = new LoneNode({ conf: { voters: [1, 2, 3, 4, 5] } });
    node.raft.campaign();
    node.work();
    node.step({ type: 'MsgVoteResp', from: 2, term: 1 });
    node.raft.campaign();
    node.work();
    node.step({ type: 'MsgVoteResp', from: 3, term: 2 });
    expect(node.raft.marks()).toMatchObject({ state: 'StateCandidate', term: 2 });
    node.step({ type: 'MsgVoteResp', from: 4, term: 2 });
    expect(node.raft.marks().state).toBe('StateLeader');
  });
});

describe('pre-votes', () => {
  test('asking for them changes neither term nor vote', () => {
    const node = new LoneNode({ preVote: true, log: [1], hardState: { term: 3, vote: 2 } });
    node.raft.campaign();
    node.work();
    expect(node.raft.status()).toMatchObject({ state: 'StatePreCandidate', term: 3, vote: 2, lead: 0 });
    expect(node.storage.initialState().hardState).toMatchObject({ term: 3, vote: 2 });
    expect(node.take('MsgPreVote').map(({ term }) => term)).toEqual([4, 4]);
  });

  test('giving them changes neither term nor vote; a grant names the term that was asked for, a refusal the own', () => {
    const node = new LoneNode({ preVote: true, log: [2], hardState: { term: 3, vote: 3 } });
    node.step({ type: 'MsgPreVote', from: 2, term: 9, index: 1, logTerm: 2 });
    expect(node.take('MsgPreVoteResp')).toMatchObject([{ term: 9, reject: false }]);
    node.step({ type: 'MsgPreVote', from: 2, term: 9, index: 9, logTerm: 1 });
    expect(node.take('MsgPreVoteResp')).toMatchObject([{ term: 3, reject: true }]);
    expect(node.raft.status()).toMatchObject({ term: 3, vote: 3 });
  });

  test('a pre-candidate begins with no votes of an earlier one', () => {
    const node = new LoneNode({ preVote: true, conf: { voters: [1, 2, 3, 4, 5] } });
    node.raft.campaign();
    node.work();
    node.step({ type: 'MsgPreVoteResp', from: 2, term: 1 });
    node.raft.campaign();
    node.work();
    node.step({ type: 'MsgPreVoteResp', from: 3, term: 1 });
    expect(node.raft.marks().state).toBe('StatePreCandidate');
  });

  test('one with a low term is refused, not dropped: two that wait for each other would wait for ever', () => {
    const node = new LoneNode({ preVote: true, log: [1], hardState: { term: 5 } });
    node.step({ type: 'MsgPreVote', from: 2, term: 3, index: 9, logTerm: 1 });
    expect(node.take('MsgPreVoteResp')).toMatchObject([{ to: 2, term: 5, reject: true }]);
  });

  test('nodes with a higher term and nodes with a longer log come to a leader', () => {
    const group = new MemoryGroup({ raft: { preVote: true, checkQuorum: true } });
    group.elect(1);
    group.cut(3);
    group.leader()?.raft.propose(new Uint8Array(1));
    group.settle();
    // The one with the short log has raised its term, as one without pre-votes would.
    group.node(3).raft.step(createMessage({ type: 'MsgHeartbeat', from: 2, to: 3, term: 7 }));
    group.heal();
    group.cut(1);
    group.tick(100, 2, 3);
    expect(group.leader()?.id).toBe(2);
  });
});

describe('leaders that are cut off', () => {
  test('a node that raised its term is answered by nobody, answers the leader, and gets back in', () => {
    for (const [preVote, checkQuorum] of [
      [true, false],
      [false, true],
    ] as const) {
      const node = new LoneNode({ preVote, checkQuorum, hardState: { term: 5 } });
      for (const type of ['MsgApp', 'MsgHeartbeat'] as const) {
        node.step({ type, from: 2, term: 3 });
        expect(node.take('MsgAppResp'), `${type} ${preVote}`).toMatchObject([{ to: 2, term: 5 }]);
      }
    }
    const plain = new LoneNode({ hardState: { term: 5 } });
    plain.step({ type: 'MsgHeartbeat', from: 2, term: 3 });
    expect(plain.take()).toEqual([]);
  });

  test('who hears a leader does not vote, unless the leader asked for the election', () => {
    const node = new LoneNode({ checkQuorum: true });
    node.step({ type: 'MsgHeartbeat', from: 2, term: 1 });
    node.take();
    node.step({ type: 'MsgVote', from: 3, term: 2 });
    expect(node.take()).toEqual([]);
    expect(node.raft.marks()).toMatchObject({ term: 1, lead: 2 });
    node.step({ type: 'MsgVote', from: 3, term: 2, context: 1 });
    expect(node.take('MsgVoteResp')).toMatchObject([{ to: 3, reject: false }]);
  });

  test('a leader that hears no majority steps down within two election timeouts', () => {
    const node = new LoneNode({ checkQuorum: true }).lead();
    node.tick(10);
    expect(node.raft.marks().state).toBe('StateLeader');
    node.tick(10);
    expect(node.raft.marks()).toMatchObject({ state: 'StateFollower', lead: 0 });
  });

  test('a partial partition, where each node hears only some, ends with a leader that stays', () => {
    // Node 1 leads and hears only 2; node 3 hears only 2 as well. Without both checks 1 and 3 depose each other for ever.
    const group = new MemoryGroup({ raft: { preVote: true, checkQuorum: true } });
    group.elect(1);
    const settle = () => {
      for (;;) {
        group.work();
        const message = group.messages.shift();
        if (message === undefined) return;
        if (message.from + message.to !== 4) group.deliver(message);
      }
    };
    const terms = new Set<number>();
    for (let i = 0; i < 200; i++) {
      for (const { raft } of group.nodes) raft.tick();
      settle();
      terms.add(group.leader()?.raft.marks().term ?? 0);
    }
    expect([...terms]).toEqual([1]);
    expect(group.leader()?.id).toBe(1);
  });

  test('a removed node with a high term does not depose the leader', () => {
    const group = new MemoryGroup({ raft: { preVote: true, checkQuorum: true } });
    group.elect(1);
    group.cut(3);
    group.change({ transition: 'auto', changes: [{ type: 'removeNode', nodeId: 3 }] });
    group.tick(50);
    group.heal();
    group.tick(50);
    expect(group.leader()?.raft.marks()).toMatchObject({ term: 1, lead: 1 });
  });
});

test('timeouts are drawn anew with every role, from one to two election timeouts', () => {
  const drawn = [3, 9, 0];
  const node = new LoneNode({ random: () => drawn.shift() ?? 0 });
  node.tick(12);
  expect(node.raft.marks().term).toBe(0);
  node.tick(1);
  expect(node.raft.marks().term).toBe(1);
  node.tick(18);
  expect(node.raft.marks().term).toBe(1);
  node.tick(1);
  expect(node.raft.marks().term).toBe(2);
});

test('messages of a term that is over change nothing', () => {
  const node = new LoneNode({ log: [1], hardState: { term: 4 } });
  node.step({ type: 'MsgApp', from: 2, term: 3, index: 1, logTerm: 1, entries: entriesAfter(1, 3), commit: 2 });
  node.step({ type: 'MsgVote', from: 2, term: 3, index: 9, logTerm: 3 });
  node.step({ type: 'MsgVoteResp', from: 2, term: 3 });
  expect(node.take()).toEqual([]);
  expect(node.raft.status()).toMatchObject({ term: 4, vote: 0, commit: 0, lastIndex: 1 });
});
