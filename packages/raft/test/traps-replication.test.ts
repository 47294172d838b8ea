import { describe, expect, test } from 'vitest';
import { MemoryGroup } from '../src/testing/memory-group.js';
import { entriesAfter, entryAt, LoneNode } from './lone-node.js';

const append = (index: number, logTerm: number, terms: readonly number[], term = 3) => ({
  type: 'MsgApp' as const,
  from: 2,
  term,
  index,
  logTerm,
  entries: entriesAfter(index, ...terms),
});

const termsOf = (node: LoneNode) =>
  Array.from({ length: node.raft.status().lastIndex }, (_, i) => node.raft.termAt(i + 1));

describe('a follower', () => {
  test('cuts its log only where an entry conflicts: an old, short or doubled append takes nothing away', () => {
    const node = new LoneNode({ log: [1, 1, 2, 2] });
    node.step(append(0, 0, [1, 1]));
    expect(termsOf(node)).toEqual([1, 1, 2, 2]);
    node.step(append(2, 1, []));
    expect(termsOf(node)).toEqual([1, 1, 2, 2]);
    node.step(append(1, 1, [1, 3]));
    expect(termsOf(node)).toEqual([1, 1, 3]);
    expect(node.take('MsgAppResp').map(({ index, reject }) => [index, reject])).toEqual([
      [2, false],
      [2, false],
      [3, false],
    ]);
  });

  test('acknowledges what it has committed where an append begins before that', () => {
    const node = new LoneNode({ log: [1, 1, 1], hardState: { commit: 2 } });
    // Were it compared, entry 1 would conflict.
    node.step(append(0, 0, [3]));
    expect(node.take('MsgAppResp')).toMatchObject([{ index: 2, reject: false }]);
    expect(termsOf(node)).toEqual([1, 1, 1]);
  });

  test('acknowledges what it has committed where that is compacted', () => {
    const node = new LoneNode({ log: [1, 1, 1], hardState: { commit: 3 }, applied: 3 });
    node.storage.compact(3);
    node.step(append(1, 1, [1]));
    expect(node.take('MsgAppResp')).toMatchObject([{ index: 3, reject: false }]);
  });

  test('commits no further than the append shows that its log is right', () => {
    const node = new LoneNode({ log: [1, 1, 2, 2] });
    node.step({ ...append(1, 1, [1]), commit: 4 });
    expect(node.raft.marks().commit).toBe(2);
  });

  test('says at which term a rejection should go on', () => {
    const node = new LoneNode({ log: [1, 2, 2, 2, 2] });
    node.step(append(5, 3, [3]));
    expect(node.take('MsgAppResp')).toMatchObject([{ reject: true, index: 5, rejectHint: 5, logTerm: 2 }]);
    // None of its entries of term 2 can match an entry of term 1.
    node.step(append(4, 1, [3]));
    expect(node.take('MsgAppResp')).toMatchObject([{ reject: true, index: 4, rejectHint: 1, logTerm: 1 }]);
    node.step(append(9, 3, [3]));
    expect(node.take('MsgAppResp')).toMatchObject([{ reject: true, index: 9, rejectHint: 5, logTerm: 2 }]);
  });

  test('acknowledges entries only when they are durable', () => {
    const node = new LoneNode({ asyncStorageWrites: true });
    node.step(append(0, 0, [3, 3]));
    expect(node.take()).toEqual([]);
    node.completeAppend();
    expect(node.take('MsgAppResp')).toMatchObject([{ index: 2, reject: false }]);
  });
});

describe('what storage says late', () => {
  test('the acknowledgement of entries that were overwritten, and came back, makes nothing durable', () => {
    const node = new LoneNode({ asyncStorageWrites: true });
    node.step(append(0, 0, [1], 1));
    node.step({ ...append(0, 0, [2], 2), from: 3 });
    node.step(append(0, 0, [1], 3));
    expect(node.appends).toHaveLength(3);
    // Of the first writing: entry 1 of term 1 is what the log holds again, but storage is going to overwrite it twice.
    node.completeAppend();
    node.step({ type: 'MsgHeartbeat', from: 2, term: 3, commit: 1 });
    expect(node.applies).toEqual([]);
    node.completeAppend();
    expect(node.applies).toEqual([]);
    node.completeAppend();
    expect(node.applies.map(({ entries }) => entries)).toEqual([[entryAt(1, 1)]]);
  });

  test('an acknowledgement with another term than the log holds makes nothing durable', () => {
    const node = new LoneNode({ asyncStorageWrites: true });
    node.step(append(0, 0, [1, 1], 3));
    node.step(append(0, 0, [2], 3));
    node.completeAppend();
    node.step({ type: 'MsgHeartbeat', from: 2, term: 3, commit: 1 });
    expect(node.applies).toEqual([]);
    node.finish();
    expect(node.applied.map(({ term }) => term)).toEqual([2]);
  });

  test('every later piece of work says again how far the log is durable: an answer that did not count is made up for', () => {
    const node = new LoneNode({ asyncStorageWrites: true });
    node.step(append(0, 0, [1], 1));
    // The term rises while the writing is under way; its end is ignored.
    node.step({ type: 'MsgHeartbeat', from: 3, term: 2 });
    node.completeAppend();
    node.completeAppend();
    node.step({ type: 'MsgHeartbeat', from: 3, term: 2, commit: 1 });
    node.finish();
    expect(node.applied.map(({ index }) => index)).toEqual([1]);
  });

  test('with asynchronous writing nothing is applied that is not durable here', () => {
    const node = new LoneNode({ asyncStorageWrites: true });
    node.step({ ...append(0, 0, [3, 3]), commit: 2 });
    expect(node.raft.marks().commit).toBe(2);
    expect(node.applies).toEqual([]);
    node.completeAppend();
    expect(node.applies[0]?.entries).toHaveLength(2);
  });
});

describe('a leader', () => {
  test('goes back by whole terms, whatever the length of what differs', () => {
    const rounds = (node: LoneNode, log: readonly number[]) => {
      let count = 0;
      const follower = new LoneNode({ id: 2, log, hardState: { term: node.raft.marks().term } });
      node.step({ type: 'MsgHeartbeatResp', from: 2, term: node.raft.marks().term });
      for (;;) {
        const message = node.take('MsgApp').find(({ to }) => to === 2);
        if (message === undefined || count > 200) return { count, terms: termsOf(follower) };
        count++;
        follower.step(message);
        for (const answer of follower.take('MsgAppResp')) node.step(answer);
      }
    };
    const many = (term: number, times: number) => new Array<number>(times).fill(term);
    // The follower has 100 entries of term 2 and 100 of term 4, the leader 100 each of terms 3 and 5, behind one of term 1.
    const node = new LoneNode({ log: [1, ...many(3, 100), ...many(5, 100)] }).lead(false);
    const { count, terms } = rounds(node, [1, ...many(2, 100), ...many(4, 100)]);
    expect(terms).toEqual(termsOf(node));
    expect(count).toBeLessThanOrEqual(8);
  });

  test('uses the hint of a rejection: it probes there, or at its own last entry of no higher term', () => {
    const node = new LoneNode({ log: [1, 3, 3, 3, 5, 5] }).lead(false);
    node.step({ type: 'MsgAppResp', from: 2, term: 6, index: 6, reject: true, rejectHint: 5, logTerm: 4 });
    expect(node.take('MsgApp')).toMatchObject([{ to: 2, index: 4, logTerm: 3 }]);
    node.step({ type: 'MsgAppResp', from: 2, term: 6, index: 4, reject: true, rejectHint: 3, logTerm: 2 });
    expect(node.take('MsgApp')).toMatchObject([{ to: 2, index: 1, logTerm: 1 }]);
  });

  test('keeps next above match: a rejection from before an acknowledgement changes nothing', () => {
    const node = new LoneNode({ log: [1, 1, 1] }).lead();
    const before = node.raft.status().progress[1];
    expect(before).toMatchObject({ id: 2, match: 4, next: 5 });
    node.step({ type: 'MsgAppResp', from: 2, term: 2, index: 3, reject: true, rejectHint: 0, logTerm: 0 });
    expect(node.raft.status().progress[1]).toEqual(before);
    expect(node.take('MsgApp')).toEqual([]);
  });

  test('sends empty appends behind a full window after heartbeats: everything in flight may have been lost', () => {
    const node = new LoneNode({ maxInflightMessages: 2 }).lead();
    for (let i = 0; i < 5; i++) node.raft.propose(new Uint8Array(1));
    node.work();
    expect(node.take('MsgApp').filter(({ to }) => to === 2)).toHaveLength(2);
    node.step({ type: 'MsgHeartbeatResp', from: 2, term: 1 });
    const [probe, ...more] = node.take('MsgApp');
    expect(more).toEqual([]);
    expect(probe).toMatchObject({ to: 2, index: 3, entries: [] });
    // Its rejection starts over from what is known.
    node.step({ type: 'MsgAppResp', from: 2, term: 1, index: 3, reject: true, rejectHint: 1, logTerm: 1 });
    expect(node.take('MsgApp')).toMatchObject([{ to: 2, index: 1 }]);
  });

  test('sends no further than the window, in messages and in bytes, and goes on as it empties', () => {
    const sizes = { maxSizePerMessage: 10, maxInflightBytes: 25, maxInflightMessages: 100 };
    const node = new LoneNode(sizes).lead();
    for (let i = 0; i < 6; i++) node.raft.propose(new Uint8Array(10));
    node.work();
    expect(node.take('MsgApp').filter(({ to }) => to === 2)).toHaveLength(3);
    node.acknowledge(2, 3);
    expect(
      node
        .take('MsgApp')
        .filter(({ to }) => to === 2)
        .flatMap(({ entries }) => entries.map(({ index }) => index)),
    ).toEqual([5, 6]);
  });

  test('an acknowledgement of many appends opens the window by as many', () => {
    const node = new LoneNode({ maxInflightMessages: 3, maxSizePerMessage: 1 }).lead();
    for (let i = 0; i < 9; i++) node.raft.propose(new Uint8Array(5));
    node.work();
    expect(node.take('MsgApp').filter(({ to }) => to === 2)).toHaveLength(3);
    node.acknowledge(2, 4);
    expect(
      node
        .take('MsgApp')
        .filter(({ to }) => to === 2)
        .map(({ index }) => index),
    ).toEqual([4, 5, 6]);
  });

  test('probes one append at a time, and again after a heartbeat that is answered', () => {
    const node = new LoneNode({ log: [1] }).lead(false);
    node.raft.propose(new Uint8Array(1));
    node.work();
    expect(node.take('MsgApp')).toEqual([]);
    node.step({ type: 'MsgHeartbeatResp', from: 2, term: 2 });
    expect(node.take('MsgApp')).toMatchObject([{ to: 2, index: 1, entries: [{ index: 2 }, { index: 3 }] }]);
  });

  test('goes back to probing a follower that cannot be reached', () => {
    const node = new LoneNode().lead();
    node.raft.propose(new Uint8Array(1));
    node.work();
    node.raft.reportUnreachable(2);
    expect(node.raft.status().progress[1]).toMatchObject({ state: 'StateProbe', match: 1, next: 2 });
  });

  test('acknowledgements that come twice or out of order take nothing back', () => {
    const node = new LoneNode().lead();
    for (let i = 0; i < 3; i++) node.raft.propose(new Uint8Array(1));
    node.work();
    for (const index of [4, 2, 4, 3]) node.acknowledge(2, index);
    expect(node.raft.status().progress[1]).toMatchObject({ match: 4, next: 5, inflightMessages: 0 });
    expect(node.raft.marks().commit).toBe(4);
  });

  test('counts no learner', () => {
    const node = new LoneNode({ conf: { voters: [1, 2, 3], learners: [4, 5] } }).lead();
    node.raft.propose(new Uint8Array(1));
    node.work();
    node.acknowledge(4, 2);
    node.acknowledge(5, 2);
    expect(node.raft.marks().commit).toBe(1);
    node.acknowledge(3, 2);
    expect(node.raft.marks().commit).toBe(2);
  });

  test('refuses more than may be uncommitted, takes one that is alone, and takes again as entries are applied', () => {
    const node = new LoneNode({ maxUncommittedBytes: 10 }).lead();
    expect(node.raft.propose(new Uint8Array(30))).toBeUndefined();
    expect(node.raft.propose(new Uint8Array(1))).toBe('tooMuchUncommitted');
    expect(node.raft.propose(new Uint8Array(0))).toBeUndefined();
    node.work();
    node.acknowledge(2, 3);
    expect(node.raft.propose(new Uint8Array(10))).toBeUndefined();
    expect(node.raft.propose(new Uint8Array(1))).toBe('tooMuchUncommitted');
  });

  test('says why a proposal was not taken', () => {
    const group = new MemoryGroup({ raft: { disableProposalForwarding: true } });
    expect(group.node(1).raft.propose(new Uint8Array(1))).toBe('noLeader');
    const leader = group.elect(1);
    expect(group.node(2).raft.propose(new Uint8Array(1))).toBe('forwardingDisabled');
    group.cut(2);
    leader.raft.transferLeader(2);
    expect(leader.raft.propose(new Uint8Array(1))).toBe('transferring');
    group.settle();
    group.tick(11, 1);
    expect(leader.raft.propose(new Uint8Array(1))).toBeUndefined();
  });
});

describe('a transfer', () => {
  test('waits until the other has the whole log, and takes no proposals meanwhile', () => {
    const node = new LoneNode().lead();
    node.raft.propose(new Uint8Array(1));
    node.work();
    node.raft.transferLeader(2);
    node.work();
    expect(node.take('MsgTimeoutNow')).toEqual([]);
    expect(node.raft.propose(new Uint8Array(1))).toBe('transferring');
    node.acknowledge(2, 2);
    expect(node.take('MsgTimeoutNow')).toMatchObject([{ to: 2 }]);
  });

  test('comes about although everybody hears the leader', () => {
    const group = new MemoryGroup({ raft: { checkQuorum: true, preVote: true } });
    group.elect(1).raft.transferLeader(3);
    group.settle();
    expect(group.leader()?.raft.marks()).toMatchObject({ lead: 3, term: 2 });
    expect(group.node(1).raft.marks().lead).toBe(3);
  });

  test('is given up after an election timeout, and never goes to a learner or to oneself', () => {
    const node = new LoneNode({ conf: { learners: [4] } }).lead();
    for (const id of [1, 4, 9]) {
      node.raft.transferLeader(id);
      expect(node.raft.status().leadTransferee, `${id}`).toBe(0);
    }
    node.raft.transferLeader(3);
    expect(node.raft.status().leadTransferee).toBe(3);
    node.tick(10);
    expect(node.raft.status().leadTransferee).toBe(0);
  });
});
