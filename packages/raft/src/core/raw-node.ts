/**
 * One member of a group as its owner uses it: calls in, work out. Synchronous and single-threaded; the owner ticks it,
 * steps what arrives, and asks for work when `hasReady`.
 *
 * With `asyncStorageWrites` work is taken with `ready` alone. Without, `advance` must follow every `ready` when its
 * writing and applying are done, before the next one.
 */
import { invariant } from '@shanghai/env';
import { type ConfChange, encodeConfChange } from './configuration/conf-change.js';
import type { ConfState } from './configuration/configuration.js';
import type { DropReason } from './drop-reason.js';
import { type Entry, type EntryType, entriesBytes, type HardState, isEmptyHardState, type SoftState } from './entry.js';
import { createMessage, isLocalMessage, isLocalTarget, isResponse, type Message } from './message.js';
import type { RaftOptions } from './options.js';
import { Raft } from './raft.js';
import { RaftError } from './raft-error.js';
import {
  changedHardState,
  mustSync,
  needsStorageAppend,
  type Ready,
  storageAppend,
  storageAppendResponse,
  storageApply,
  storageApplyResponse,
} from './ready.js';
import { applyConfChange } from './reconfiguration.js';
import { type RaftMarks, type RaftStatus, statusOf } from './status.js';

/** One member of a group. */
export class RawNode {
  readonly #raft: Raft;
  readonly #isAsync: boolean;
  #previousSoftState: SoftState;
  #previousHardState: HardState;
  /** What `advance` will step. */
  #onAdvance: Message[] | undefined;

  /** Throws `RangeError` for options out of range. */
  constructor(options: RaftOptions) {
    this.#raft = new Raft(options);
    this.#isAsync = this.#raft.options.asyncStorageWrites;
    this.#previousSoftState = this.#raft.softState;
    this.#previousHardState = this.#raft.hardState;
  }

  get id(): number {
    return this.#raft.id;
  }

  /** One unit of time has passed. */
  tick(): void {
    this.#raft.tick();
  }

  /** Tries to become leader now. */
  campaign(): void {
    this.#raft.step(createMessage({ type: 'MsgHup' }));
  }

  /** Proposes commands, as entries that follow each other. Returns why they were not taken; taken is not yet committed. */
  propose(...commands: readonly Uint8Array[]): DropReason | undefined {
    return this.#propose(commands.map((data) => proposal('EntryNormal', data)));
  }

  /** Proposes a change of the configuration. It takes effect when it is applied, by `applyConfChange`. */
  proposeConfChange(
    change: ConfChange,
    type: 'EntryConfChange' | 'EntryConfChangeV2' = 'EntryConfChangeV2',
  ): DropReason | undefined {
    const isEmpty = change.changes.length === 0 && change.transition === 'auto' && change.context === undefined;
    return this.#propose([proposal(type, isEmpty ? new Uint8Array(0) : encodeConfChange(change))]);
  }

  /** Applies a committed change, and returns the configuration to store with the state. Every member calls it at that entry. */
  applyConfChange(change: ConfChange): ConfState {
    return applyConfChange(this.#raft, change);
  }

  /**
   * Takes a message from another member, or the answer of this node's storage. Returns why a proposal or a read was not
   * taken. Throws `RaftError` for what may not come from there.
   */
  step(message: Message): DropReason | undefined {
    const { type, from } = message;
    if (isLocalMessage(type) && !isLocalTarget(from)) {
      throw new RaftError('LOCAL_MESSAGE', `a ${type} came from ${from}, but never comes over a network`);
    }
    if (isResponse(type) && !isLocalTarget(from) && !this.#raft.progress.has(from)) {
      throw new RaftError('PEER_NOT_FOUND', `${type} from ${from}, which is no member`);
    }
    return this.#raft.step(message);
  }

  /** Asks for an index that a read must see; `context` (≥ 1) comes back in `readStates` or `droppedReads`. */
  readIndex(context: number): DropReason | undefined {
    return this.#raft.step(createMessage({ type: 'MsgReadIndex', context }));
  }

  /** Hands leadership to a voter, if this node leads or knows who does. */
  transferLeader(to: number): void {
    this.#raft.step(createMessage({ type: 'MsgTransferLeader', from: to }));
  }

  /** Stops waiting for the leader this node knows of, so that it votes for another at once. */
  forgetLeader(): void {
    this.#raft.step(createMessage({ type: 'MsgForgetLeader' }));
  }

  /** Leads no more, in the same term: for a leader that cannot do its work. Elsewhere it changes nothing. */
  stepDown(): void {
    if (this.#raft.state === 'StateLeader') this.#raft.becomeFollower(this.#raft.term, 0);
  }

  /**
   * Time goes on after ticks were left out. What was waited for is waited for anew, with another election timeout; a
   * leader asks at once who still follows it.
   */
  wake(): void {
    const raft = this.#raft;
    raft.electionElapsed = 0;
    raft.randomizedElectionTimeout = raft.options.electionTick + raft.options.random(raft.options.electionTick);
    if (raft.state === 'StateLeader') raft.step(createMessage({ type: 'MsgBeat', from: raft.id }));
  }

  /** The last messages to a node did not arrive. */
  reportUnreachable(id: number): void {
    this.#raft.step(createMessage({ type: 'MsgUnreachable', from: id }));
  }

  /** How the sending of a snapshot ended. Must be called once for each: nothing else is sent meanwhile. */
  reportSnapshot(id: number, isSent: boolean): void {
    this.#raft.step(createMessage({ type: 'MsgSnapStatus', from: id, reject: !isSent }));
  }

  /** Whether there is work. */
  get hasReady(): boolean {
    const raft = this.#raft;
    const { lead, state } = this.#previousSoftState;
    return (
      raft.lead !== lead ||
      raft.state !== state ||
      !isEmptyHardState(changedHardState(raft.hardState, this.#previousHardState)) ||
      raft.messages.length > 0 ||
      raft.messagesAfterAppend.length > 0 ||
      raft.log.unstable.hasNextEntries ||
      raft.log.unstable.nextSnapshot() !== undefined ||
      raft.log.hasNextCommitted(!this.#isAsync) ||
      raft.readStates.length > 0 ||
      raft.droppedReads.length > 0
    );
  }

  /** Takes the work there is: it is the caller's now. */
  ready(): Ready {
    invariant(this.#onAdvance === undefined, 'advance has not been called since the last ready');
    const ready = this.#gather();
    this.#accept(ready);
    return ready;
  }

  /** The work of the last `ready` is done. Only without `asyncStorageWrites`. */
  advance(): void {
    invariant(!this.#isAsync, 'with asynchronous storage writes their responses say what is done');
    const steps = this.#onAdvance ?? [];
    this.#onAdvance = undefined;
    for (const message of steps) this.#raft.step(message);
  }

  /** Where the node stands, in the fewest words; costs next to nothing. */
  marks(): RaftMarks {
    const { term, lead, state, log } = this.#raft;
    return { term, lead, state, commit: log.committed, applied: log.applied, lastIndex: log.lastIndex() };
  }

  /** The term of an entry of this node's log, durable or not; `undefined` where it is not there, or not any more. */
  termAt(index: number): number | undefined {
    const term = this.#raft.log.term(index);
    return typeof term === 'number' ? term : undefined;
  }

  /** Where the node stands; costs a copy of what it knows of its followers. */
  status(): RaftStatus {
    return statusOf(this.#raft);
  }

  /** Sets the timeout of the election that is being waited for: for tests that need it to be known. */
  setRandomizedElectionTimeout(ticks: number): void {
    this.#raft.randomizedElectionTimeout = ticks;
  }

  #propose(entries: readonly Entry[]): DropReason | undefined {
    invariant(entries.length > 0, 'a proposal needs an entry');
    return this.#raft.step(createMessage({ type: 'MsgProp', from: this.id, entries }));
  }

  #gather(): Ready {
    const raft = this.#raft;
    const { softState, hardState, log } = raft;
    const before = this.#previousSoftState;
    const entries = log.unstable.nextEntries();
    const committedEntries = log.nextCommitted(!this.#isAsync);
    const snapshot = log.unstable.nextSnapshot();
    const unwritten = changedHardState(hardState, this.#previousHardState);
    const work = { entries, snapshot, hardState: unwritten };
    // Field by field: this is made for every message that comes.
    return {
      softState: softState.lead === before.lead && softState.state === before.state ? undefined : softState,
      hardState: unwritten,
      readStates: raft.readStates,
      droppedReads: raft.droppedReads,
      entries,
      snapshot,
      committedEntries,
      messages: this.#isAsync ? this.#withStorageWork(work, committedEntries) : this.#withAnswers(),
      mustSync: mustSync(hardState, this.#previousHardState, entries.length),
    };
  }

  #withStorageWork(work: Pick<Ready, 'entries' | 'hardState' | 'snapshot'>, committed: readonly Entry[]): Message[] {
    const raft = this.#raft;
    const { messages } = raft;
    if (needsStorageAppend(raft, work)) messages.push(storageAppend(raft, work));
    if (committed.length > 0) messages.push(storageApply(raft, committed));
    return messages;
  }

  /** The owner writes before it sends, so that answers may go with everything else; those to itself wait for `advance`. */
  #withAnswers(): Message[] {
    const { messages, messagesAfterAppend, id } = this.#raft;
    for (const message of messagesAfterAppend) if (message.to !== id) messages.push(message);
    return messages;
  }

  #accept(ready: Ready): void {
    const raft = this.#raft;
    if (ready.softState !== undefined) this.#previousSoftState = ready.softState;
    if (!isEmptyHardState(ready.hardState)) this.#previousHardState = ready.hardState;
    if (!this.#isAsync) this.#onAdvance = this.#stepsAfter(ready);
    raft.readStates = [];
    raft.droppedReads = [];
    raft.messages = [];
    raft.messagesAfterAppend = [];
    raft.reads.close();
    raft.log.unstable.acceptInProgress();
    const last = ready.committedEntries.at(-1);
    if (last === undefined) return;
    raft.applyWork++;
    raft.log.acceptApplying(last.index, entriesBytes(ready.committedEntries), !this.#isAsync);
  }

  #stepsAfter({ snapshot, committedEntries }: Ready): Message[] {
    const raft = this.#raft;
    const steps = raft.messagesAfterAppend.filter(({ to }) => to === raft.id);
    const appended = storageAppendResponse(raft, snapshot);
    if (appended !== undefined) steps.push(appended);
    if (committedEntries.length > 0) steps.push(storageApplyResponse(raft, committedEntries));
    return steps;
  }
}

function proposal(type: EntryType, data: Uint8Array): Entry {
  return { type, data, term: 0, index: 0 };
}
