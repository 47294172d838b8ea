import {
  type Entry,
  emptyHardState,
  type HardState,
  isEmptyHardState,
  type Snapshot,
  type SoftState,
} from './entry.js';
import { appendThread, applyThread, createMessage, type Message } from './message.js';
import type { Raft, ReadState } from './raft.js';

/**
 * Work that a node has for its owner. In this order, unless storage is written to asynchronously: write `snapshot`,
 * `entries` and `hardState` durably; then send `messages`, apply `committedEntries`, answer `readStates` that are reached.
 *
 * With asynchronous storage writes `messages` also hold work for this node's storage (`MsgStorageAppend` to
 * `appendThread`, `MsgStorageApply` to `applyThread`). Work for one target is done in order, none is left out; when it is
 * done its `responses` are sent, or stepped where they are for this node. All other messages go out at once.
 */
export interface Ready {
  /** Where it has changed. */
  readonly softState: SoftState | undefined;
  /** Where it has changed; else empty. */
  readonly hardState: HardState;
  readonly readStates: readonly ReadState[];
  /** Reads of this node that will not be answered, by its own numbers: the leader they waited at leads no more. */
  readonly droppedReads: readonly number[];
  /** To be appended; what storage has at or behind the first of them goes. */
  readonly entries: readonly Entry[];
  /** To be put in the place of the whole log. */
  readonly snapshot: Snapshot | undefined;
  readonly committedEntries: readonly Entry[];
  readonly messages: readonly Message[];
  /** False where nothing depends on `hardState` and `entries` being durable now: only the commit index has moved. */
  readonly mustSync: boolean;
}

/** Whether what is to be written must be durable before what depends on it is sent. */
export function mustSync(state: HardState, previous: HardState, entryCount: number): boolean {
  return entryCount !== 0 || state.vote !== previous.vote || state.term !== previous.term;
}

/** Whether storage has something to write, or something waits for what it is writing. */
export function needsStorageAppend(raft: Raft, ready: Pick<Ready, 'entries' | 'hardState' | 'snapshot'>): boolean {
  return (
    ready.entries.length > 0 ||
    !isEmptyHardState(ready.hardState) ||
    ready.snapshot !== undefined ||
    raft.messagesAfterAppend.length > 0
  );
}

/** The work of writing. Answers that wait for it come first: the leader's own count before what they make stable moves on. */
export function storageAppend(raft: Raft, ready: Pick<Ready, 'entries' | 'hardState' | 'snapshot'>): Message {
  const { term, vote, commit } = ready.hardState;
  const response = storageAppendResponse(raft, ready.snapshot);
  return createMessage({
    type: 'MsgStorageAppend',
    to: appendThread,
    from: raft.id,
    term,
    vote,
    commit,
    entries: ready.entries,
    snapshot: ready.snapshot,
    responses: response === undefined ? raft.messagesAfterAppend : [...raft.messagesAfterAppend, response],
  });
}

/**
 * What the core must hear when the writing is done, or `undefined`. It carries the log's end as of now, with its term:
 * if that is still what the log holds there then, everything up to it is durable. And it carries this node's term: in a
 * later one the same index and term may mean entries that were overwritten and came back, un-synced.
 */
export function storageAppendResponse(raft: Raft, snapshot: Snapshot | undefined): Message | undefined {
  const hasEntries = raft.log.unstable.entries.length > 0;
  if (!hasEntries && snapshot === undefined) return undefined;
  const last = hasEntries ? raft.log.lastEntryId() : { index: 0, term: 0 };
  return createMessage({
    type: 'MsgStorageAppendResp',
    to: raft.id,
    from: appendThread,
    term: raft.term,
    index: last.index,
    logTerm: last.term,
    snapshot,
  });
}

/** The work of applying. */
export function storageApply(raft: Raft, entries: readonly Entry[]): Message {
  const responses = [storageApplyResponse(raft, entries)];
  return createMessage({ type: 'MsgStorageApply', to: applyThread, from: raft.id, entries, responses });
}

/** What the core must hear when the applying is done. */
export function storageApplyResponse(raft: Raft, entries: readonly Entry[]): Message {
  return createMessage({ type: 'MsgStorageApplyResp', to: raft.id, from: applyThread, entries });
}

/** A hard state where it differs from what was written last, else the empty one. */
export function changedHardState(state: HardState, previous: HardState): HardState {
  const isSame = state.term === previous.term && state.vote === previous.vote && state.commit === previous.commit;
  return isSame ? emptyHardState : state;
}
