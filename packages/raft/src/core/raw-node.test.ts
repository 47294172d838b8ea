import { describe, expect, test } from 'vitest';
import { MemoryLogStorage } from '../testing/memory-log-storage.js';
import { emptyConfState } from './configuration/configuration.js';
import { noData } from './entry.js';
import { appendThread, createMessage, type MessageFields } from './message.js';
import type { RaftOptions } from './options.js';
import { RawNode } from './raw-node.js';

function open(options: Partial<RaftOptions> = {}, voters: readonly number[] = [1]) {
  const storage = new MemoryLogStorage();
  storage.createSnapshot({ metadata: { index: 0, term: 0, confState: { ...emptyConfState, voters } }, data: noData });
  const raft = new RawNode({ id: 1, storage, electionTick: 10, heartbeatTick: 1, random: () => 0, ...options });
  return { storage, raft, step: (fields: MessageFields) => raft.step(createMessage({ to: 1, ...fields })) };
}

describe('ready and advance', () => {
  test('a node that has done nothing has nothing to do', () => {
    const { raft } = open();
    expect(raft.hasReady).toBe(false);
    raft.tick();
    expect(raft.hasReady).toBe(false);
  });

  test('each ready is the news since the last, in the order of the protocol', () => {
    const { raft, storage } = open();
    raft.campaign();
    const vote = raft.ready();
    expect(vote).toMatchObject({
      softState: { state: 'StateCandidate' },
      hardState: { term: 1, vote: 1 },
      entries: [],
    });
    storage.setHardState(vote.hardState);
    raft.advance();
    const first = raft.ready();
    expect(first).toMatchObject({ softState: { lead: 1, state: 'StateLeader' }, entries: [{ index: 1, term: 1 }] });
    expect(first.hardState).toEqual({ term: 0, vote: 0, commit: 0 });
    expect(first.committedEntries).toEqual([]);
    storage.append(first.entries);
    raft.advance();
    const committed = raft.ready();
    expect(committed).toMatchObject({ softState: undefined, hardState: { term: 1, vote: 1, commit: 1 }, entries: [] });
    expect(committed.committedEntries.map(({ index }) => index)).toEqual([1]);
    expect(raft.marks().applied).toBe(0);
    raft.advance();
    expect(raft.marks().applied).toBe(1);
    expect(raft.hasReady).toBe(false);
  });

  test('a ready before the last one is done is a mistake, and so is advance with asynchronous writing', () => {
    const { raft } = open();
    raft.campaign();
    raft.ready();
    expect(() => raft.ready()).toThrow(/advance has not been called/);
    expect(() => open({ asyncStorageWrites: true }).raft.advance()).toThrow(/asynchronous/);
  });

  test('has to be synced where term, vote or entries are news, and not for a commit index alone', () => {
    const { raft, storage } = open();
    raft.campaign();
    const synced: boolean[] = [];
    while (raft.hasReady) {
      const ready = raft.ready();
      synced.push(ready.mustSync);
      storage.append(ready.entries);
      raft.advance();
    }
    expect(synced).toEqual([true, true, false]);
  });

  test('what is handed out is the caller’s: later work does not change it', () => {
    const { raft, step } = open({ asyncStorageWrites: true }, [1, 2, 3]);
    step({ type: 'MsgApp', from: 2, term: 1, entries: [{ index: 1, term: 1, type: 'EntryNormal', data: noData }] });
    const ready = raft.ready();
    const before = structuredClone(ready);
    step({ type: 'MsgApp', from: 3, term: 2, entries: [{ index: 1, term: 2, type: 'EntryNormal', data: noData }] });
    raft.ready();
    expect(ready).toEqual(before);
  });

  test('reads, proposals and changes make work', () => {
    const { raft } = open({}, [1, 2]);
    expect(raft.propose(noData)).toBe('noLeader');
    expect(raft.readIndex(1)).toBe('noLeader');
    expect(raft.proposeConfChange({ transition: 'auto', changes: [] })).toBe('noLeader');
    expect(raft.hasReady).toBe(false);
    expect(() => raft.propose()).toThrow(/needs an entry/);
  });
});

describe('asynchronous writing', () => {
  test('answers that promise something are attached to the writing, everything else leaves at once', () => {
    const { raft, step } = open({ asyncStorageWrites: true }, [1, 2, 3]);
    const entries = [{ index: 1, term: 1, type: 'EntryNormal', data: noData }] as const;
    step({ type: 'MsgApp', from: 2, term: 1, entries });
    step({ type: 'MsgHeartbeat', from: 2, term: 1 });
    const { messages } = raft.ready();
    expect(messages.map(({ type, to }) => [type, to])).toEqual([
      ['MsgHeartbeatResp', 2],
      ['MsgStorageAppend', appendThread],
    ]);
    expect(messages[1]?.responses.map(({ type, to }) => [type, to])).toEqual([
      ['MsgAppResp', 2],
      ['MsgStorageAppendResp', 1],
    ]);
    expect(raft.hasReady).toBe(false);
  });

  test('an answer waits for the writing before it even where it has nothing to write itself', () => {
    const { raft, step } = open({ asyncStorageWrites: true }, [1, 2, 3]);
    const entries = [{ index: 1, term: 1, type: 'EntryNormal', data: noData }] as const;
    step({ type: 'MsgApp', from: 2, term: 1, entries });
    raft.ready();
    step({ type: 'MsgApp', from: 2, term: 1, entries });
    const { messages } = raft.ready();
    expect(messages.map(({ type }) => type)).toEqual(['MsgStorageAppend']);
    expect(messages[0]?.entries).toEqual([]);
  });
});

describe('messages that may not come', () => {
  test('local ones from elsewhere are refused', () => {
    const { step } = open();
    for (const type of [
      'MsgHup',
      'MsgBeat',
      'MsgCheckQuorum',
      'MsgStorageAppendResp',
      'MsgStorageApplyResp',
    ] as const) {
      expect(() => step({ type, from: 2 }), type).toThrow(expect.objectContaining({ code: 'LOCAL_MESSAGE' }));
    }
  });

  test('answers of strangers are refused; questions of strangers are not, they may be members that we do not know yet', () => {
    const { step, raft } = open();
    for (const type of ['MsgAppResp', 'MsgVoteResp', 'MsgHeartbeatResp', 'MsgPreVoteResp'] as const) {
      expect(() => step({ type, from: 9 }), type).toThrow(expect.objectContaining({ code: 'PEER_NOT_FOUND' }));
    }
    step({ type: 'MsgHeartbeat', from: 9, term: 4 });
    expect(raft.marks()).toMatchObject({ term: 4, lead: 9 });
  });
});

test('marks and status say the same', () => {
  const { raft } = open();
  raft.campaign();
  const { term, lead, state, commit, applied, lastIndex } = raft.status();
  expect(raft.marks()).toEqual({ term, lead, state, commit, applied, lastIndex });
  expect(raft.status()).toMatchObject({ id: 1, isVoter: true, progress: [] });
  expect([raft.termAt(0), raft.termAt(1)]).toEqual([0, undefined]);
});

test('a follower that wakes waits a whole election timeout before it asks for votes', () => {
  const { raft, step } = open({ preVote: true }, [1, 2, 3]);
  step({ type: 'MsgHeartbeat', from: 2, term: 1 });
  const settle = () => {
    while (raft.hasReady) {
      raft.ready();
      raft.advance();
    }
  };
  settle();
  for (let i = 0; i < 9; i++) raft.tick();
  raft.wake();
  for (let i = 0; i < 9; i++) raft.tick();
  settle();
  expect(raft.marks()).toMatchObject({ state: 'StateFollower', lead: 2 });
  raft.tick();
  expect(raft.marks()).toMatchObject({ state: 'StatePreCandidate' });
});
