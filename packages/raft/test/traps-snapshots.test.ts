import { describe, expect, test } from 'vitest';
import { encodeConfChange } from '../src/core/configuration/conf-change.js';
import { emptyConfState } from '../src/core/configuration/configuration.js';
import { noData, type Snapshot } from '../src/core/entry.js';
import { MemoryGroup } from '../src/testing/memory-group.js';
import { entriesAfter, entryAt, LoneNode } from './lone-node.js';

const snapshotAt = (index: number, term: number, voters: readonly number[] = [1, 2, 3]): Snapshot => ({
  metadata: { index, term, confState: { ...emptyConfState, voters } },
  data: noData,
});
const offer = (snapshot: Snapshot, term = 5) => ({ type: 'MsgSnap' as const, from: 2, term, snapshot });

describe('a snapshot that arrives', () => {
  test('and is not newer than what is committed is ignored, and answered', () => {
    const node = new LoneNode({ log: [1, 1, 1], hardState: { commit: 2 } });
    node.step(offer(snapshotAt(2, 1)));
    expect(node.take('MsgAppResp')).toMatchObject([{ to: 2, index: 2, reject: false }]);
    expect(node.raft.status().lastIndex).toBe(3);
  });

  test('and matches the log moves the commit index and leaves the log as it is', () => {
    const node = new LoneNode({ log: [1, 1, 1, 1] });
    node.step(offer(snapshotAt(3, 1)));
    expect(node.raft.status()).toMatchObject({ commit: 3, lastIndex: 4 });
    expect(node.take('MsgAppResp')).toMatchObject([{ to: 2, index: 3, reject: false }]);
  });

  test('takes the place of the whole log where its entry has another term there', () => {
    const node = new LoneNode({ log: [1, 2, 2, 2] });
    node.step(offer(snapshotAt(3, 4)));
    expect(node.raft.status()).toMatchObject({ commit: 3, applied: 3, lastIndex: 3 });
    expect([2, 3, 4].map((index) => node.raft.termAt(index))).toEqual([undefined, 4, undefined]);
    expect(node.storage.firstIndex()).toBe(4);
  });

  test('brings the configuration with it', () => {
    const node = new LoneNode({ log: [1] });
    node.step(offer(snapshotAt(9, 4, [1, 2, 7])));
    expect([...node.raft.status().configuration.voters.incoming]).toEqual([1, 2, 7]);
  });

  test('and does not name this node is not taken', () => {
    const node = new LoneNode({ log: [1] });
    node.step(offer(snapshotAt(9, 4, [2, 3])));
    expect(node.raft.status()).toMatchObject({ commit: 0, lastIndex: 1 });
    expect(node.take('MsgAppResp')).toMatchObject([{ index: 0 }]);
  });

  test('is acknowledged only when it is durable', () => {
    const node = new LoneNode({ asyncStorageWrites: true });
    node.step(offer(snapshotAt(9, 4)));
    expect(node.take()).toEqual([]);
    node.completeAppend();
    expect(node.take('MsgAppResp')).toMatchObject([{ index: 9 }]);
    expect(node.raft.marks()).toMatchObject({ commit: 9, applied: 9 });
  });

  test('keeps this node from elections until it is durable: its log is about to be replaced', () => {
    const node = new LoneNode({ asyncStorageWrites: true });
    node.step(offer(snapshotAt(9, 4)));
    node.tick(40);
    node.raft.campaign();
    node.work();
    expect(node.raft.marks()).toMatchObject({ state: 'StateFollower', term: 5 });
    node.finish();
    node.raft.campaign();
    expect(node.raft.marks().state).toBe('StateCandidate');
  });

  test('comes before entries behind it: none is applied until it is durable', () => {
    const node = new LoneNode({ asyncStorageWrites: true });
    node.step(offer(snapshotAt(9, 4)));
    node.step({ type: 'MsgApp', from: 2, term: 5, index: 9, logTerm: 4, entries: entriesAfter(9, 5), commit: 10 });
    expect(node.applies).toEqual([]);
    node.finish();
    expect(node.applied.map(({ index }) => index)).toEqual([10]);
  });

  test('may be followed by a newer one before it is durable', () => {
    const node = new LoneNode({ asyncStorageWrites: true });
    node.step(offer(snapshotAt(9, 4)));
    node.step(offer(snapshotAt(12, 5)));
    node.finish();
    expect(node.raft.marks()).toMatchObject({ commit: 12, applied: 12 });
    expect(node.storage.snapshot().metadata.index).toBe(12);
    expect(node.take('MsgAppResp').map(({ index }) => index)).toEqual([9, 12]);
  });

  test('while committed entries are being applied does not take the applied index back', () => {
    const node = new LoneNode({ asyncStorageWrites: true });
    node.step({ type: 'MsgApp', from: 2, term: 5, entries: entriesAfter(0, 5, 5), commit: 2 });
    node.completeAppend();
    expect(node.applies).toHaveLength(1);
    node.step(offer(snapshotAt(9, 5)));
    while (node.appends.length > 0) node.completeAppend();
    expect(node.raft.marks().applied).toBe(9);
    node.completeApply();
    expect(node.raft.marks().applied).toBe(9);
  });
});

test('changes in work that the state machine had when a snapshot came leave the configuration of the snapshot as it is', () => {
  const change = { transition: 'auto', changes: [{ type: 'addNode', nodeId: 4 }] } as const;
  const node = new LoneNode({ asyncStorageWrites: true });
  const entry = { ...entryAt(1, 5), type: 'EntryConfChangeV2' as const, data: encodeConfChange(change) };
  node.step({ type: 'MsgApp', from: 2, term: 5, entries: [entry], commit: 1 });
  node.completeAppend();
  expect(node.applies).toHaveLength(1);
  // Of later than that change: 4 was added, and is gone again.
  node.step(offer(snapshotAt(9, 5)));
  node.completeApply();
  expect([...node.raft.status().configuration.voters.incoming]).toEqual([1, 2, 3]);
  node.finish();
  const next = { ...entryAt(10, 5), type: 'EntryConfChangeV2' as const, data: encodeConfChange(change) };
  node.step({ type: 'MsgApp', from: 2, term: 5, index: 9, logTerm: 5, entries: [next], commit: 10 });
  node.finish();
  expect([...node.raft.status().configuration.voters.incoming]).toEqual([1, 2, 3, 4]);
});

test('such a change is told as of its own entry, for a state that is kept there', () => {
  const change = { transition: 'auto', changes: [{ type: 'addNode', nodeId: 4 }] } as const;
  const node = new LoneNode({ asyncStorageWrites: true });
  const entry = { ...entryAt(1, 5), type: 'EntryConfChangeV2' as const, data: encodeConfChange(change) };
  node.step({ type: 'MsgApp', from: 2, term: 5, entries: [entry], commit: 1 });
  node.completeAppend();
  node.step(offer(snapshotAt(9, 5, [1, 7])));
  node.step(offer(snapshotAt(12, 5, [1, 8])));
  expect(node.raft.applyConfChange(change).voters).toEqual([1, 2, 3, 4]);
  expect([...node.raft.status().configuration.voters.incoming]).toEqual([1, 8]);
});

describe('a leader that has compacted its log', () => {
  function compacted(): LoneNode {
    const node = new LoneNode({ log: [1, 1, 1, 1], hardState: { commit: 4 }, applied: 4 });
    node.storage.createSnapshot(snapshotAt(4, 1));
    node.storage.compact(3);
    node.lead(false);
    node.acknowledge(3, 5);
    node.step({ type: 'MsgAppResp', from: 2, term: 2, index: 4, reject: true, rejectHint: 0, logTerm: 0 });
    return node;
  }

  test('sends a snapshot to who needs what is gone, and nothing else until it is answered', () => {
    const node = compacted();
    expect(node.take('MsgSnap')).toMatchObject([{ to: 2, snapshot: { metadata: { index: 4 } } }]);
    node.raft.propose(new Uint8Array(1));
    node.work();
    node.step({ type: 'MsgHeartbeatResp', from: 2, term: 2 });
    expect(node.take().filter(({ to, type }) => to === 2 && type !== 'MsgHeartbeat')).toEqual([]);
  });

  test('goes on behind it when its arrival is reported and it is acknowledged', () => {
    const node = compacted();
    node.take();
    node.raft.reportSnapshot(2, true);
    expect(node.raft.status().progress[1]).toMatchObject({ state: 'StateProbe', next: 5, isPaused: true });
    node.acknowledge(2, 4);
    expect(node.raft.status().progress[1]).toMatchObject({ state: 'StateReplicate', match: 4 });
    expect(node.take('MsgApp')).toMatchObject([{ to: 2, index: 4, entries: [{ index: 5 }] }]);
  });

  test('goes on by any acknowledgement that reaches its log, whatever became of the snapshot', () => {
    const node = compacted();
    node.acknowledge(2, 3);
    expect(node.raft.status().progress[1]).toMatchObject({ state: 'StateReplicate', match: 3 });
  });

  test('begins again from what is known where it is reported lost', () => {
    const node = compacted();
    node.take();
    node.raft.reportSnapshot(2, false);
    expect(node.raft.status().progress[1]).toMatchObject({ state: 'StateProbe', next: 1, isPaused: true });
    node.step({ type: 'MsgHeartbeatResp', from: 2, term: 2 });
    expect(node.take('MsgSnap')).toHaveLength(1);
  });

  test('sends none to a follower that has not been heard of', () => {
    const node = new LoneNode({ log: [1, 1, 1, 1], hardState: { commit: 4 }, applied: 4 });
    node.storage.createSnapshot(snapshotAt(4, 1));
    node.storage.compact(4);
    node.lead(false);
    node.raft.reportUnreachable(2);
    node.tick(1);
    expect(node.take('MsgSnap')).toEqual([]);
  });
});

test('a follower that was away while the log was compacted catches up by a snapshot, then by entries', () => {
  const group = new MemoryGroup();
  const leader = group.elect(1);
  group.cut(3);
  for (let i = 0; i < 5; i++) leader.raft.propose(new Uint8Array(1));
  group.settle();
  const { configuration, applied } = leader.raft.status();
  const voters = [...configuration.voters.incoming];
  leader.storage.createSnapshot(snapshotAt(applied, leader.raft.termAt(applied) ?? 0, voters));
  leader.storage.compact(applied);
  leader.raft.propose(new Uint8Array(2));
  group.settle();
  group.heal();
  const snapshots = () => group.messages.filter(({ type }) => type === 'MsgSnap').length;
  let sent = 0;
  for (let i = 0; i < 3; i++) {
    for (const { raft } of group.nodes) raft.tick();
    for (;;) {
      group.work();
      const message = group.messages.shift();
      if (message === undefined) break;
      if (message.type === 'MsgSnap') sent++;
      group.deliver(message);
    }
  }
  expect(snapshots()).toBe(0);
  expect(sent).toBe(1);
  expect(group.node(3).raft.marks()).toMatchObject({ commit: applied + 1, applied: applied + 1 });
  expect(group.node(3).applied.map(({ index }) => index)).toContain(applied + 1);
});
