/**
 * The state of one member of a group and the transitions between its roles. No clock, no disk, no network: ticks and
 * messages come in, messages and marks go out, and `RawNode` turns these into work for its owner.
 *
 *   Follower ──timeout──► (PreCandidate ──majority──►) Candidate ──majority──► Leader
 *      ▲────────────── a higher term, a leader's message, or no quorum ────────┘
 *
 * What a role does with messages lies beside this file: elections, follower, leader, replication, reconfiguration.
 * After "In Search of an Understandable Consensus Algorithm" (Ongaro, Ousterhout 2014) and Ongaro's dissertation;
 * decisions message by message as etcd/raft makes them.
 */
import { invariant } from '@shanghai/env';
import { type Membership, type ProgressMap, restoreMembership } from './configuration/changer.js';
import { emptyConfiguration } from './configuration/configuration.js';
import { describeConfiguration, describeLease, describeStart, describeVote } from './describe.js';
import type { DropReason } from './drop-reason.js';
import { handleVoteRequest, startElection } from './elections.js';
import {
  type Entry,
  entriesBytes,
  type HardState,
  noData,
  type Proposal,
  payloadBytes,
  type Snapshot,
  type SoftState,
  type StateType,
} from './entry.js';
import { stepCandidate, stepFollower } from './follower.js';
import { stepLeader } from './leader.js';
import { RaftLog } from './log/raft-log.js';
import { createMessage, type Message, type MessageFields, transferContext } from './message.js';
import { type RaftOptions, type ResolvedRaftOptions, resolveRaftOptions } from './options.js';
import { freshProgress, type InflightLimits, type Progress } from './progress/progress.js';
import { jointCommitted, jointVote } from './quorum/joint.js';
import type { VoteResult } from './quorum/majority.js';
import { ReadRounds } from './read-rounds.js';
import { switchTo } from './reconfiguration.js';
import type { TraceLevel } from './trace.js';

/** A read that may be answered from a state that has applied `index`. `context` is the reader's own number. */
export interface ReadState {
  readonly index: number;
  readonly context: number;
}

/** One member. Fields are the core's own; its users go through `RawNode`. */
export class Raft {
  readonly id: number;
  readonly options: ResolvedRaftOptions;
  readonly log: RaftLog;
  readonly inflightLimits: InflightLimits;
  term = 0;
  vote = 0;
  lead = 0;
  state: StateType = 'StateFollower';
  membership: Membership = { configuration: emptyConfiguration, progress: new Map() };
  /** Members, ascending: whoever is visited is visited in this order. */
  memberIds: readonly number[] = [];
  readonly votes = new Map<number, boolean>();
  /** To be sent at once. */
  messages: Message[] = [];
  /** To be sent when everything that is not durable now is durable. */
  messagesAfterAppend: Message[] = [];
  readStates: ReadState[] = [];
  /** Reads of this node that will not be answered: its own numbers. */
  droppedReads: number[] = [];
  reads = new ReadRounds();
  /** Reads that came before this leader's first commit, whose index it cannot know yet. */
  earlyReads: Message[] = [];
  /** Pieces of work that the state machine has and has not reported done. */
  applyWork = 0;
  /** Where a snapshot came while the state machine was at work: what its work changes, and how much of it is left. */
  outdated: { membership: Membership; applyWork: number } | undefined;
  leadTransferee = 0;
  /** In this term. Who was asked to take over does not wait for leases, and may do it long after it was given up here. */
  hasOfferedLeadership = false;
  /** No other change may be proposed before the entry with this index is applied. */
  pendingConfIndex = 0;
  uncommittedBytes = 0;
  electionElapsed = 0;
  heartbeatElapsed = 0;
  /** In [electionTick, 2 × electionTick), drawn anew with every role. */
  randomizedElectionTimeout = 0;

  constructor(options: RaftOptions) {
    const resolved = resolveRaftOptions(options);
    this.id = resolved.id;
    this.options = resolved;
    this.inflightLimits = { maxMessages: resolved.maxInflightMessages, maxBytes: resolved.maxInflightBytes };
    this.log = new RaftLog(resolved.storage, resolved.maxCommittedSizePerReady, resolved.trace);
    const { hardState, confState } = resolved.storage.initialState();
    switchTo(this, restoreMembership(confState, this.log.lastIndex(), this.inflightLimits));
    this.#load(hardState);
    if (resolved.applied !== undefined && resolved.applied > 0) this.log.appliedTo(resolved.applied, 0);
    this.becomeFollower(this.term, 0);
    this.trace('info', () => describeStart(this));
  }

  get progress(): ProgressMap {
    return this.membership.progress;
  }

  get softState(): SoftState {
    return { lead: this.lead, state: this.state };
  }

  get hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  /** Whether it could be elected: a voter, as far as it knows, that is not about to be replaced by a snapshot. */
  get isPromotable(): boolean {
    const own = this.progress.get(this.id);
    return own !== undefined && !own.isLearner && !this.log.hasUnstableSnapshot;
  }

  tick(): void {
    this.electionElapsed++;
    if (this.state === 'StateLeader') this.#tickLeader();
    else if (this.isPromotable && this.electionElapsed >= this.randomizedElectionTimeout) {
      this.electionElapsed = 0;
      this.step(createMessage({ type: 'MsgHup', from: this.id }));
    }
  }

  /** Takes a message. Returns why a proposal or a read was not taken. */
  step(message: Message): DropReason | undefined {
    if (message.term > this.term && !this.#followTerm(message)) return undefined;
    if (message.term !== 0 && message.term < this.term) {
      this.#answerOldTerm(message);
      return undefined;
    }
    switch (message.type) {
      case 'MsgHup':
        startElection(this, this.options.preVote ? 'preElection' : 'election');
        return undefined;
      case 'MsgStorageAppendResp':
        if (message.index !== 0) this.log.unstable.stableTo({ index: message.index, term: message.logTerm });
        if (message.snapshot !== undefined) this.appliedSnapshot(message.snapshot);
        return undefined;
      case 'MsgStorageApplyResp':
        this.#applied(message.entries);
        return undefined;
      case 'MsgVote':
      case 'MsgPreVote':
        handleVoteRequest(this, message);
        return undefined;
      default:
        if (this.state === 'StateLeader') return stepLeader(this, message);
        return this.state === 'StateFollower' ? stepFollower(this, message) : stepCandidate(this, message);
    }
  }

  /** Queues a message. The term is this node's own, except in votes and in what is passed on to a leader. */
  send(fields: MessageFields): void {
    const { type } = fields;
    const namesTerm =
      type === 'MsgVote' || type === 'MsgVoteResp' || type === 'MsgPreVote' || type === 'MsgPreVoteResp';
    const isForwarded = type === 'MsgProp' || type === 'MsgReadIndex';
    invariant(namesTerm === ((fields.term ?? 0) !== 0), `a ${type} with term ${fields.term ?? 0}`);
    const term = namesTerm ? (fields.term as number) : isForwarded ? 0 : this.term;
    const from = (fields.from ?? 0) === 0 ? this.id : (fields.from as number);
    const message = createMessage(fields, from, term);
    // What acknowledges something durable waits until it is.
    if (type === 'MsgAppResp' || type === 'MsgVoteResp' || type === 'MsgPreVoteResp') {
      this.messagesAfterAppend.push(message);
    } else {
      invariant(message.to !== this.id, `a ${type} to itself`);
      this.messages.push(message);
    }
  }

  becomeFollower(term: number, lead: number): void {
    this.#reset(term);
    this.lead = lead;
    this.state = 'StateFollower';
    this.trace('info', () => `${this.id} became follower at term ${this.term}`);
  }

  becomeCandidate(): void {
    invariant(this.state !== 'StateLeader', 'a leader cannot become a candidate');
    this.#reset(this.term + 1);
    this.vote = this.id;
    this.state = 'StateCandidate';
    this.trace('info', () => `${this.id} became candidate at term ${this.term}`);
  }

  /** Neither term nor vote change: nobody is disturbed by an election that cannot be won. */
  becomePreCandidate(): void {
    invariant(this.state !== 'StateLeader', 'a leader cannot become a pre-candidate');
    this.votes.clear();
    this.lead = 0;
    this.state = 'StatePreCandidate';
    this.trace('info', () => `${this.id} became pre-candidate at term ${this.term}`);
  }

  becomeLeader(): void {
    invariant(this.state !== 'StateFollower', 'a follower cannot become leader without an election');
    this.#reset(this.term);
    this.lead = this.id;
    this.state = 'StateLeader';
    const own = this.progress.get(this.id);
    invariant(own !== undefined, 'a leader is a member');
    own.becomeReplicate();
    own.recentActive = true;
    // There may be a change in the log that is not committed yet; nothing tells but its place, so all of it counts.
    this.pendingConfIndex = this.log.lastIndex();
    const isAccepted = this.appendEntries([{ type: 'EntryNormal', data: noData }]);
    invariant(isAccepted, 'the first entry of a term was refused');
    this.trace('info', () => `${this.id} became leader at term ${this.term}`);
  }

  /** Adds a leader's entries to its log; false where too much is uncommitted already. */
  appendEntries(proposals: readonly Proposal[]): boolean {
    const bytes = payloadBytes(proposals);
    // One that is alone is always taken, and so is what has no payload: a term's first entry, the end of a joint change.
    if (this.uncommittedBytes > 0 && bytes > 0 && this.uncommittedBytes + bytes > this.options.maxUncommittedBytes) {
      return false;
    }
    this.uncommittedBytes += bytes;
    const { term } = this;
    let index = this.log.lastIndex();
    this.log.append(proposals.map(({ type, data }) => ({ term, index: ++index, type, data })));
    // The leader counts itself when its own log is durable, like any other.
    this.send({ type: 'MsgAppResp', to: this.id, index });
    return true;
  }

  /** Commits what a quorum has. */
  maybeCommit(): boolean {
    const index = jointCommitted(this.membership.configuration.voters, (id) => this.progress.get(id)?.match);
    return this.log.maybeCommit({ index, term: this.term });
  }

  /** Whether this leader knows what is committed: an entry of its own term is. */
  get hasCommittedInTerm(): boolean {
    return this.log.term(this.log.committed) === this.term;
  }

  recordVote(id: number, isGranted: boolean): VoteResult {
    if (!this.votes.has(id)) this.votes.set(id, isGranted);
    return jointVote(this.membership.configuration.voters, (voter) => this.votes.get(voter));
  }

  /** A snapshot is durable and applied. */
  appliedSnapshot({ metadata }: Snapshot): void {
    this.log.unstable.stableSnapshotTo(metadata.index);
    this.#appliedTo(metadata.index, 0);
  }

  /** Everybody's progress, in ascending order. */
  visit(visitor: (id: number, progress: Progress) => void): void {
    for (const id of this.memberIds) visitor(id, this.progress.get(id) as Progress);
  }

  trace(level: TraceLevel, describe: () => string): void {
    this.options.trace?.(level, describe);
  }

  #tickLeader(): void {
    const { electionTick, checkQuorum, heartbeatTick } = this.options;
    this.heartbeatElapsed++;
    if (this.electionElapsed >= electionTick) {
      this.electionElapsed = 0;
      if (checkQuorum) this.step(createMessage({ type: 'MsgCheckQuorum', from: this.id }));
      // A transfer that did not come about in an election timeout is given up: proposals are taken again.
      if (this.state === 'StateLeader' && this.leadTransferee !== 0) {
        this.leadTransferee = 0;
        this.#maybeLeaveJoint();
      }
    }
    if (this.state !== 'StateLeader' || this.heartbeatElapsed < heartbeatTick) return;
    this.heartbeatElapsed = 0;
    this.step(createMessage({ type: 'MsgBeat', from: this.id }));
  }

  /** Takes over a higher term. False where the message is to be ignored altogether. */
  #followTerm(message: Message): boolean {
    const { type, term, from } = message;
    if (type === 'MsgVote' || type === 'MsgPreVote') {
      const isForced = message.context === transferContext;
      const hearsLeader = this.lead !== 0 && this.electionElapsed < this.options.electionTick;
      if (this.options.checkQuorum && hearsLeader && !isForced) {
        this.trace('info', () => describeLease(this, message));
        return false;
      }
    }
    // A pre-vote asks about a term that nobody is in; a granted one answers with it.
    if (type === 'MsgPreVote' || (type === 'MsgPreVoteResp' && !message.reject)) return true;
    this.trace(
      'info',
      () => `${this.id} [term: ${this.term}] received a ${type} message with higher term from ${from} [term: ${term}]`,
    );
    const isLeader = type === 'MsgApp' || type === 'MsgHeartbeat' || type === 'MsgSnap';
    this.becomeFollower(term, isLeader ? from : 0);
    return true;
  }

  #answerOldTerm(message: Message): void {
    const { type, term, from } = message;
    const { checkQuorum, preVote } = this.options;
    if ((checkQuorum || preVote) && (type === 'MsgHeartbeat' || type === 'MsgApp')) {
      // This node raised its term while it was cut off, and nobody votes for it as long as the leader is heard. The
      // answer makes that leader step down, so that an election can let this node back in.
      this.send({ type: 'MsgAppResp', to: from });
    } else if (type === 'MsgPreVote') {
      // Without an answer two nodes, one with the higher term and one with the longer log, could wait for ever.
      this.trace('info', () => describeVote(this, 'rejected', message));
      this.send({ type: 'MsgPreVoteResp', to: from, term: this.term, reject: true });
    } else if (type === 'MsgStorageAppendResp') {
      // The entries may have been overwritten in a later term, and then be overwritten back: the term is what tells.
      if (message.index !== 0) {
        this.trace(
          'info',
          () =>
            `${this.id} [term: ${this.term}] ignored entry appends from a ${type} message with lower term [term: ${term}]`,
        );
      }
      if (message.snapshot !== undefined) this.appliedSnapshot(message.snapshot);
    } else {
      this.trace(
        'info',
        () => `${this.id} [term: ${this.term}] ignored a ${type} message with lower term from ${from} [term: ${term}]`,
      );
    }
  }

  #reset(term: number): void {
    if (this.term !== term) {
      this.term = term;
      this.vote = 0;
    }
    this.lead = 0;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.leadTransferee = 0;
    this.hasOfferedLeadership = false;
    this.pendingConfIndex = 0;
    this.uncommittedBytes = 0;
    this.randomizedElectionTimeout = this.options.electionTick + this.options.random(this.options.electionTick);
    this.votes.clear();
    this.#dropReads();
    const lastIndex = this.log.lastIndex();
    for (const [id, { isLearner }] of this.progress) {
      const fresh = freshProgress(lastIndex, this.inflightLimits, isLearner);
      if (id === this.id) fresh.match = lastIndex;
      this.progress.set(id, fresh);
    }
  }

  #dropReads(): void {
    for (const { request } of this.reads.abandon()) this.#dropRead(request);
    for (const request of this.earlyReads.splice(0)) this.#dropRead(request);
    this.reads = new ReadRounds();
  }

  #dropRead({ from, context }: Message): void {
    if (from === 0 || from === this.id) this.droppedReads.push(context);
  }

  #load({ term, vote, commit }: HardState): void {
    if (term === 0 && vote === 0 && commit === 0) return;
    const { committed } = this.log;
    invariant(
      commit >= committed && commit <= this.log.lastIndex(),
      `commit ${commit} is not in [${committed}, ${this.log.lastIndex()}]`,
    );
    this.log.committed = commit;
    this.term = term;
    this.vote = vote;
  }

  #applied(entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    this.applyWork--;
    if (this.outdated !== undefined && --this.outdated.applyWork === 0) this.outdated = undefined;
    this.#appliedTo(last.index, entriesBytes(entries));
    this.uncommittedBytes = Math.max(this.uncommittedBytes - payloadBytes(entries), 0);
  }

  #appliedTo(index: number, bytes: number): void {
    const applied = Math.max(index, this.log.applied);
    this.log.appliedTo(applied, bytes);
    this.#maybeLeaveJoint();
  }

  /** Proposes to leave a joint configuration that leaves by itself, once the change that made it is applied. */
  #maybeLeaveJoint(): void {
    const { configuration } = this.membership;
    if (!configuration.autoLeave || this.log.applied < this.pendingConfIndex || this.state !== 'StateLeader') return;
    // An empty change leaves the joint configuration. It can only be refused while leadership is handed over; it is tried
    // again when that is given up, and at the next leader.
    const proposal = { type: 'EntryConfChangeV2', data: noData, term: 0, index: 0 } as const;
    const dropped = this.step(createMessage({ type: 'MsgProp', from: this.id, entries: [proposal] }));
    this.trace('info', () =>
      dropped === undefined
        ? `initiating automatic transition out of joint configuration ${describeConfiguration(configuration)}`
        : `not initiating automatic transition out of joint configuration ${describeConfiguration(configuration)}: ${dropped}`,
    );
  }
}
