/**
 * The core of one group at work, from one opening of its log to the next. Synchronous; the answers of log and state machine
 * come back as calls. A turn does its share of what there is:
 *
 *   answers of the log ─┐
 *   messages ───────────┤                 ┌─► log (AppendQueue) ──durable──► answers, sent or stepped
 *   proposals, reads ───┴─► core ─ready─► ┼─► state machine (MachineQueue) ──applied──► results of proposals
 *                                         └─► outbox, snapshots
 */
import { decodeConfChange } from '../core/configuration/conf-change.js';
import type { ConfState } from '../core/configuration/configuration.js';
import type { DropReason } from '../core/drop-reason.js';
import type { Snapshot } from '../core/entry.js';
import { appendThread, applyThread, type Message } from '../core/message.js';
import { RaftError } from '../core/raft-error.js';
import { RawNode } from '../core/raw-node.js';
import type { RaftMarks } from '../core/status.js';
import type { GroupLog } from '../ports/group-log.js';
import { startingHardState } from './align-log.js';
import { AppendQueue } from './append-queue.js';
import { type CommandJoiner, placesOf } from './command-joiner.js';
import { GroupStorage } from './group-storage.js';
import type { HostContext } from './host-context.js';
import type { Inbox } from './inbox.js';
import type { MachineQueue } from './machine-queue.js';
import { type ProposalError, refusal } from './proposal-error.js';
import type { ProposalTracker } from './proposal-tracker.js';
import type { ReadTracker } from './read-tracker.js';
import type { Sleeper } from './sleeper.js';
import type { SnapshotSender } from './snapshot-sender.js';
import type { Transfer } from './transfer.js';

/** Bytes of proposals that one group may put into its log in one turn. */
const turnProposalBytes = 1_048_576;

/** What it works on, and whom it tells. */
export interface CoreRunnerOptions {
  readonly groupId: number;
  readonly host: HostContext;
  readonly log: GroupLog;
  readonly inbox: Inbox;
  readonly proposals: ProposalTracker;
  readonly reads: ReadTracker;
  readonly sleeper: Sleeper;
  readonly snapshots: SnapshotSender;
  readonly transfer: Transfer;
  readonly joiner: CommandJoiner<unknown> | undefined;
  readonly machine: MachineQueue<unknown>;
  /** The configuration at `applied`. */
  readonly confState: ConfState;
  /** So much is known to be committed, whatever the log says: the state machine holds it, say. */
  readonly leastCommit: number;
  /** What the core takes to be applied: the configuration is of there. `undefined`: what the log begins behind. */
  readonly applied: number | undefined;
  restore(snapshot: Snapshot): Promise<void>;
  onRestored(snapshot: Snapshot): void;
  onRole(marks: RaftMarks, before: RaftMarks): void;
  onLogFailed(error: Error): void;
  schedule(): void;
}

/** One core. After `abandon` it does nothing any more. */
export class CoreRunner {
  readonly raw: RawNode;
  readonly appends: AppendQueue;
  marks: RaftMarks;
  /** When the leader was last heard, by the clock. */
  leaderHeardMs: number | undefined;
  readonly #options: CoreRunnerOptions;
  #durable: Message[] = [];
  #durableIndex = 0;

  constructor(options: CoreRunnerOptions) {
    const { host, log, confState, leastCommit, applied, snapshots } = options;
    const { limits, random, nodeId } = host;
    const initial = { hardState: startingHardState(log, leastCommit), confState };
    this.#options = options;
    this.raw = new RawNode({
      id: nodeId,
      storage: new GroupStorage(log, initial, () => snapshots.request()),
      ...(applied !== undefined && { applied }),
      electionTick: limits.electionTicks,
      heartbeatTick: 1,
      random: (limit) => random.below(limit),
      maxSizePerMessage: limits.maxAppendBytes,
      maxCommittedSizePerReady: limits.maxApplyBytes,
      maxInflightMessages: limits.maxInflightAppends,
      maxInflightBytes: limits.maxInflightBytes,
      // Where nothing is applied any more, what was given up here must not pile up in the log.
      maxUncommittedBytes: limits.maxProposalBytes,
      asyncStorageWrites: true,
      checkQuorum: true,
      preVote: true,
      disableProposalForwarding: true,
      stepDownOnRemoval: true,
    });
    this.marks = this.raw.marks();
    this.appends = new AppendQueue({
      log,
      onDurable: (responses, lastIndex) => this.#onDurable(responses, lastIndex),
      onFailed: (error) => options.onLogFailed(error),
      restore: (snapshot) => options.restore(snapshot),
      onRestored: (snapshot) => options.onRestored(snapshot),
    });
  }

  get isIdle(): boolean {
    return this.#durable.length === 0 && this.appends.isIdle;
  }

  /** Nothing is heard of it any more. */
  abandon(): void {
    this.appends.abandon();
  }

  /** A turn's share of what there is. Throws where this core cannot go on. */
  turn(): void {
    const { inbox, sleeper, host, transfer } = this.#options;
    const nowMs = host.clock.monotonicMs();
    this.#respond();
    for (const message of inbox.take()) this.#receive(message, nowMs);
    for (const received of inbox.takeSignals()) sleeper.onSignal(received);
    this.#propose(nowMs);
    // Behind what was proposed before: a leader that hands over takes nothing any more.
    const heir = transfer.take();
    if (heir !== undefined) this.raw.transferLeader(heir);
    this.#ask(nowMs);
    this.work();
    this.#notice(nowMs);
  }

  /** Hands on what the core has to do. */
  work(): void {
    const { raw } = this;
    const { reads, groupId, host, machine, snapshots } = this.#options;
    while (raw.hasReady) {
      const { readStates, droppedReads, messages } = raw.ready();
      for (const { context, index } of readStates) reads.answered(context, index);
      for (const context of droppedReads) reads.refused(context, this.notLeader());
      for (const message of messages) {
        if (message.to === appendThread) this.appends.submit(message);
        else if (message.to === applyThread) machine.apply(raw, message);
        else if (message.type === 'MsgSnap') snapshots.send(message);
        else host.outbox.send(groupId, message);
      }
    }
  }

  notLeader(): ProposalError {
    const { lead } = this.raw.marks();
    const { groupId, host } = this.#options;
    const leaderId = lead === host.nodeId ? 0 : lead;
    const who = leaderId === 0 ? 'no leader is known; ask again soon' : `node ${leaderId} does`;
    return refusal('NOT_LEADER', `node ${host.nodeId} does not lead group ${groupId}: ${who}`, leaderId);
  }

  #onDurable(responses: readonly Message[], lastIndex: number): void {
    for (const response of responses) this.#durable.push(response);
    this.#durableIndex = Math.max(this.#durableIndex, lastIndex);
    this.#options.schedule();
  }

  /** Sends, or steps, what waited for the log. */
  #respond(): void {
    const { groupId, host, proposals } = this.#options;
    if (this.#durable.length === 0) return;
    const responses = this.#durable;
    this.#durable = [];
    if (host.listener.applied !== undefined) {
      proposals.reached('durableMs', this.#durableIndex, host.clock.monotonicMs());
    }
    for (const response of responses) {
      if (response.to === host.nodeId) this.#step(response);
      else host.outbox.send(groupId, response);
    }
  }

  #receive(message: Message, nowMs: number): void {
    const { raw } = this;
    const { host, groupId } = this.#options;
    const { type, term, commit } = message;
    // Nothing is passed on to a leader; and who cannot write must not be elected.
    if (type === 'MsgProp' || (type === 'MsgTimeoutNow' && host.isStalled)) return;
    if (type === 'MsgHeartbeat' || type === 'MsgApp' || type === 'MsgSnap') {
      const marks = raw.marks();
      if (term >= marks.term) this.leaderHeardMs = nowMs;
      if (type === 'MsgHeartbeat' && commit > marks.lastIndex) {
        const what = `group ${groupId}: node ${message.from} knows entries up to ${commit} to be durable here`;
        throw new RaftError('LOG_REVERTED', `${what}, but the log ends at ${marks.lastIndex}; let this node join anew`);
      }
    }
    this.#step(message);
  }

  #step(message: Message): void {
    try {
      this.raw.step(message);
    } catch (error) {
      // Of a stranger, or of somebody who was removed meanwhile: this node itself, while its own vote was written.
      if (!(error instanceof RaftError)) throw error;
    }
  }

  #propose(nowMs: number): void {
    const { proposals, host } = this.#options;
    let bytes = 0;
    while (proposals.hasQueued && bytes < turnProposalBytes) {
      const calledMs = proposals.queuedSinceMs;
      const batch = proposals.take(host.limits.maxAppendBytes);
      const { term, lastIndex } = this.raw.marks();
      const isChange = batch[0]?.isChange === true;
      const places = placesOf(batch, this.#options.joiner);
      const commands = places.map(({ data }) => data);
      for (const { length } of commands) bytes += length;
      const dropped = isChange
        ? this.raw.proposeConfChange(decodeConfChange(commands[0] as Uint8Array))
        : this.raw.propose(...commands);
      if (dropped !== undefined) proposals.refused(batch, this.#dropError(dropped));
      else {
        const times = { calledMs, handedMs: nowMs, durableMs: 0, committedMs: 0 };
        proposals.proposed(places, term, lastIndex + 1, times);
      }
    }
  }

  #ask(nowMs: number): void {
    const { reads } = this.#options;
    const context = reads.ask(nowMs);
    if (context === undefined) return;
    const dropped = this.raw.readIndex(context);
    if (dropped !== undefined) reads.refused(context, this.#dropError(dropped));
  }

  #dropError(reason: DropReason): ProposalError {
    switch (reason) {
      case 'noLeader':
      case 'forwardingDisabled':
      case 'notMember':
        return this.notLeader();
      case 'transferring':
        return refusal('NOT_LEADER', 'leadership is being handed over; ask again soon');
      case 'tooMuchUncommitted':
      case 'tooManyReads':
        return refusal('BUSY', `group ${this.#options.groupId} has as much to do as it may have; ask again`);
    }
  }

  #notice(nowMs: number): void {
    const { proposals, host, onRole } = this.#options;
    const before = this.marks;
    const marks = this.raw.marks();
    this.marks = marks;
    if (marks.commit !== before.commit && host.listener.applied !== undefined) {
      proposals.reached('committedMs', marks.commit, nowMs);
    }
    if (marks.term !== before.term || marks.lead !== before.lead || marks.state !== before.state) onRole(marks, before);
  }
}
