/**
 * One group of a host: what lives as long as the group is open. Its core is made anew where the log had no space: what was
 * not durable is lost then, as by a crash, and answers of before reach nobody any more.
 */
import type { Message } from '../core/message.js';
import { RaftError } from '../core/raft-error.js';
import type { RawNode } from '../core/raw-node.js';
import type { RaftMarks } from '../core/status.js';
import type { GroupLog } from '../ports/group-log.js';
import type { GroupMessage, GroupSignal } from '../ports/peer-transport.js';
import type { SnapshotSink } from '../ports/state-machine.js';
import { alignLog } from './align-log.js';
import { Beginning } from './beginning.js';
import type { CommandJoiner } from './command-joiner.js';
import { Compactor } from './compactor.js';
import { isAlone, isOnlyVoter, membersOf } from './configuration-history.js';
import { CoreRunner } from './core-runner.js';
import { FullLog, isLogFull } from './full-log.js';
import { GroupMachine } from './group-machine.js';
import type { HostContext, HostedGroup } from './host-context.js';
import type { GroupOptions } from './host-options.js';
import { Inbox } from './inbox.js';
import type { AppliedRun } from './machine-queue.js';
import { type ProposalError, refusal } from './proposal-error.js';
import { type BatchTimes, type LogView, type Outcome, type Proposal, ProposalTracker } from './proposal-tracker.js';
import { ReadTracker } from './read-tracker.js';
import { Sleeper } from './sleeper.js';
import { receiveSnapshot } from './snapshot-receiver.js';
import { SnapshotSender } from './snapshot-sender.js';
import { Succession } from './succession.js';
import { Transfer } from './transfer.js';

const replayBytes = 1_048_576;
const noMarks: RaftMarks = { term: 0, lead: 0, state: 'StateFollower', commit: 0, applied: 0, lastIndex: 0 };

/** One group of a host. */
export class GroupDriver<Result> implements HostedGroup {
  readonly groupId: number;
  readonly host: HostContext;
  readonly log: GroupLog;
  readonly options: GroupOptions<Result>;
  readonly proposals = new ProposalTracker();
  readonly reads: ReadTracker;
  readonly snapshots: SnapshotSender;
  readonly sleeper: Sleeper;
  readonly succession: Succession;
  readonly compactor: Compactor;
  readonly transfer = new Transfer();
  readonly state: GroupMachine<Result>;
  readonly beginning: Beginning;
  /** Absent where it takes no part: no space, failed, closed. */
  core: CoreRunner | undefined;
  failure: Error | undefined;
  isClosed = false;
  /** Told when something that may be waited for has happened. */
  onProgress: (() => void) | undefined;
  readonly #inbox = new Inbox();
  readonly #fullLog: FullLog;
  /** The state has everything that this node has ever acknowledged as the only voter. */
  #holdsAll = false;

  /** The log is in line with the state already. */
  constructor(host: HostContext, options: GroupOptions<Result>, log: GroupLog) {
    const { groupId, machine } = options;
    this.host = host;
    this.options = options;
    this.groupId = groupId;
    this.log = log;
    this.reads = new ReadTracker(host.random);
    this.state = new GroupMachine({
      groupId,
      host,
      machine,
      start: { index: log.firstIndex() - 1, confState: log.initialState().confState },
      onApplied: (run, outcomes) => this.#onApplied(run, outcomes),
      onFailed: (error) => this.fail(error),
    });
    this.beginning = new Beginning({
      isTogether: options.beginsTogether === true,
      marks: () => this.marks,
      members: () => this.members,
      isHeard: (nodeId) => nodeId === host.nodeId || host.heardMs(nodeId) !== undefined,
    });
    const { history } = this.state;
    // What fails because the group was closed meanwhile is nobody's concern.
    const reopen = () => this.#reopen().catch((error: Error) => (this.isFull ? Promise.reject(error) : undefined));
    this.#fullLog = new FullLog(host, reopen);
    this.snapshots = new SnapshotSender({
      groupId,
      host,
      take: () => this.state.take(() => this.raw),
      isUsable: ({ metadata: { index } }) => index + 1 >= log.firstIndex() && index >= history.latest.index,
      report: (to, isSent) => this.guard(({ raw }) => raw.reportSnapshot(to, isSent)),
    });
    this.sleeper = new Sleeper(host, this);
    this.succession = new Succession(host, this);
    this.compactor = new Compactor({
      log,
      limits: host.limits,
      history,
      heldIndex: () => this.snapshots.lowestIndex,
      onCompacted: (index, bytes) => host.listener.compacted?.({ groupId, index, bytes }),
    });
  }

  get marks(): RaftMarks {
    return this.core?.marks ?? noMarks;
  }

  get raw(): RawNode | undefined {
    return this.core?.raw;
  }

  get members(): readonly number[] {
    return membersOf(this.state.configuration);
  }

  get voters(): readonly number[] {
    return this.state.configuration.voters;
  }

  get mayStand(): boolean {
    return !this.host.isStalled && !this.beginning.isAwaited();
  }

  get isOnlyVoter(): boolean {
    return isOnlyVoter(this.state.configuration, this.host.nodeId);
  }

  get isFull(): boolean {
    return this.core === undefined && this.failure === undefined && !this.isClosed;
  }

  /** Nothing is under way. */
  get isQuiet(): boolean {
    const { proposals, reads, snapshots, transfer, core } = this;
    const isWaiting = proposals.count > 0 || reads.count > 0 || transfer.isPending || !snapshots.isIdle;
    return !isWaiting && this.#inbox.isEmpty && this.state.queue.isIdle && (core?.isIdle ?? true);
  }

  /** Applies what is known to be committed, then takes part. */
  async start(): Promise<void> {
    await this.#replay(this.#openCore(undefined));
    // What the only voter holds durably is committed; but by whom what comes behind a change of the voters, is not known.
    const own = this.isOnlyVoter ? lastBeforeChange(this.log, this.state.appliedIndex) : 0;
    if (own > this.state.appliedIndex) await this.#replay(this.#openCore(this.state.appliedIndex, own));
    this.#holdsAll = this.state.appliedIndex >= this.log.lastIndex();
    this.host.membersChanged();
    this.#begin(this.core as CoreRunner);
  }

  /** Why a proposal of so many bytes is not taken, where it is not. */
  refusalOf(bytes: number): ProposalError | undefined {
    const { maxEntryBytes, maxProposals, maxProposalBytes } = this.host.limits;
    if (this.isClosed || this.failure !== undefined) return this.closedError();
    if (this.core === undefined) return this.fullError();
    if (this.marks.state !== 'StateLeader') return this.core.notLeader();
    if (bytes > maxEntryBytes) return refusal('TOO_LARGE', `${bytes} bytes are more than ${maxEntryBytes}`);
    const { count, bytes: inFlight } = this.proposals;
    if (count < maxProposals && (count === 0 || inFlight + bytes <= maxProposalBytes)) return undefined;
    return refusal('BUSY', `${count} proposals of ${inFlight} bytes are in flight in group ${this.groupId}; ask again`);
  }

  propose(proposal: Proposal): void {
    this.proposals.queue(proposal, this.host.clock.monotonicMs());
    this.sleeper.disturb();
    this.wake();
  }

  read(): Promise<number> {
    if (this.isClosed || this.failure !== undefined) return Promise.reject(this.closedError());
    const index = this.reads.queue();
    this.sleeper.disturb();
    this.wake();
    return index;
  }

  /** Does something with the core, if there is one; what it throws is the end of the group. */
  guard(call: (core: CoreRunner) => void): void {
    if (this.core === undefined) return;
    try {
      call(this.core);
      this.host.schedule(this);
    } catch (error) {
      this.fail(error as Error);
    }
  }

  receive(message: Message): void {
    if (this.core === undefined) return;
    // What answers a question of before it slept is no reason to wake.
    const isLate = message.type === 'MsgHeartbeatResp' || message.type === 'MsgAppResp';
    if (this.sleeper.isAsleep && isLate && message.term <= this.marks.term) return;
    if (this.beginning.isPremature(message.type)) return;
    if (this.#inbox.add(message)) this.wake();
  }

  receiveSignal(from: number, signal: GroupSignal): void {
    if (this.core === undefined) return;
    this.#inbox.addSignal(from, signal);
    this.host.schedule(this);
  }

  async receiveSnapshot(from: number, offer: GroupMessage): Promise<SnapshotSink> {
    const index = offer.message.snapshot?.metadata.index ?? 0;
    if (this.core === undefined || this.core.appends.isRestoring || index <= this.marks.commit) {
      throw new RaftError('CLOSED', `group ${this.groupId} takes no snapshot at ${index} now`);
    }
    const onComplete = () => this.receive(offer.message);
    return receiveSnapshot({ host: this.host, machine: this.options.machine, from, offer, onComplete });
  }

  /** There is something to do, or its leader's node is not what it was. */
  wake(): void {
    this.sleeper.wake();
    this.host.setTicking(this, true);
    this.host.schedule(this);
  }

  onSleep(isAsleep: boolean): void {
    const { listener } = this.host;
    this.host.setTicking(this, !isAsleep);
    if (isAsleep) listener.slept?.({ groupId: this.groupId });
    else listener.woken?.({ groupId: this.groupId });
  }

  /** The disk is silent: somebody else should lead. */
  stepDown(): void {
    if (this.marks.state !== 'StateLeader' || this.isOnlyVoter) return;
    this.wake();
    this.wakeOthers();
    this.guard(({ raw }) => raw.stepDown());
  }

  /** Those that sleep must not wait for this node. */
  wakeOthers(): void {
    const { term, commit } = this.marks;
    for (const nodeId of this.members) {
      if (nodeId === this.host.nodeId) continue;
      this.host.outbox.signal(nodeId, { groupId: this.groupId, type: 'wake', term, index: commit });
    }
  }

  run(): boolean {
    if (this.core === undefined) {
      this.#runWithoutCore();
      return false;
    }
    try {
      this.core.turn();
    } catch (error) {
      this.fail(error as Error);
    }
    return this.core !== undefined && (!this.#inbox.isEmpty || this.proposals.hasQueued);
  }

  tick(nowMs: number): void {
    const { core, proposals, reads, host } = this;
    const { electionTicks, tickMs, proposalTimeoutMs } = host.limits;
    const electionMs = electionTicks * tickMs;
    if (this.failure !== undefined || this.isClosed) return;
    if (core === undefined) this.#fullLog.tick(nowMs);
    else if (this.mayStand) this.guard(({ raw }) => raw.tick());
    if (proposals.count > 0) proposals.expire(nowMs - proposalTimeoutMs, nowMs - electionMs, this.#view());
    reads.expire(nowMs - 2 * electionMs, this.marks.lead);
    this.transfer.expire(nowMs);
    if (!this.snapshots.isIdle) this.#tickSnapshots();
    this.sleeper.tick();
    this.onProgress?.();
    // Alone there is nobody to tell anything, and nobody to hear from.
    const isResting = this.marks.state === 'StateLeader' && isAlone(this.state.configuration, host.nodeId);
    if (isResting && proposals.count === 0 && reads.count === 0) host.setTicking(this, false);
  }

  /** It cannot go on. Others of the host may. */
  fail(error: Error): void {
    if (this.failure !== undefined || this.isClosed) return;
    this.failure = error;
    this.#end();
    this.wakeOthers();
    this.host.listener.failed?.({ groupId: this.groupId, error });
  }

  /** Leaves what is in flight with an unknown outcome, and waits for the state machine. */
  async stop(): Promise<void> {
    if (this.marks.state === 'StateLeader' && this.sleeper.isAsleep) this.wakeOthers();
    this.isClosed = true;
    this.#end();
    await this.state.queue.settled();
    this.log.close();
  }

  closedError(): ProposalError {
    const why = this.failure === undefined ? 'is closed' : `has failed: ${this.failure.message}`;
    return refusal('CLOSED', `group ${this.groupId} ${why}`);
  }

  fullError(): ProposalError {
    return refusal('FULL', `there is no space for the log of group ${this.groupId}; make room, then ask again`);
  }

  #end(): void {
    const error = this.closedError();
    const view = this.#view();
    this.core?.abandon();
    this.core = undefined;
    this.state.queue.dropWaiting();
    this.#inbox.clear();
    this.snapshots.close();
    this.succession.stop();
    this.transfer.end(error);
    this.proposals.end(view, error);
    this.reads.end(error);
    this.host.setTicking(this, false);
    this.onProgress?.();
  }

  async #replay(core: CoreRunner): Promise<void> {
    this.core = core;
    const { commit } = core.marks;
    while (core.raw.marks().applied < commit && this.failure === undefined) {
      core.work();
      await this.state.queue.settled();
    }
    if (this.failure !== undefined) throw this.failure;
  }

  #openCore(applied: number | undefined, leastCommit = 0): CoreRunner {
    const { groupId, host, log, proposals, reads, sleeper, snapshots, transfer, state, options } = this;
    return new CoreRunner({
      ...{ groupId, host, log, proposals, reads, sleeper, snapshots, transfer, applied },
      inbox: this.#inbox,
      joiner: options.joiner as CommandJoiner<unknown> | undefined,
      machine: this.state.queue,
      confState: state.configuration,
      leastCommit: Math.max(options.machine.appliedIndex, leastCommit),
      restore: (snapshot) => state.restore(snapshot),
      onRestored: ({ metadata }) => state.onRestored(metadata),
      onRole: (marks, before) => this.#onRole(marks, before),
      onLogFailed: (error) => this.#onLogFailed(error),
      schedule: () => host.schedule(this),
    });
  }

  #begin(core: CoreRunner): void {
    this.host.setTicking(this, true);
    if (this.isOnlyVoter) core.raw.campaign();
    this.host.schedule(this);
  }

  #runWithoutCore(): void {
    const { proposals, reads, host } = this;
    this.#inbox.clear();
    if (!this.isFull) return;
    while (proposals.hasQueued) proposals.refused(proposals.take(Number.POSITIVE_INFINITY), this.fullError());
    const context = reads.ask(host.clock.monotonicMs());
    if (context === undefined) return;
    // Nobody else could have acknowledged anything: what is applied here is all there is.
    if (this.isOnlyVoter && this.#holdsAll) reads.answered(context, this.state.appliedIndex);
    else reads.refused(context, refusal('NOT_LEADER', `group ${this.groupId} takes no part while its disk is full`));
  }

  #onRole(marks: RaftMarks, before: RaftMarks): void {
    const { host, groupId } = this;
    if (before.state === 'StateLeader' && (marks.state !== 'StateLeader' || marks.term !== before.term)) {
      // It was its own leader until now.
      if (this.core !== undefined) this.core.leaderHeardMs = host.clock.monotonicMs();
      this.proposals.lost(host.clock.monotonicMs());
      this.transfer.done();
    }
    if (marks.lead !== 0 && marks.lead !== before.lead && this.reads.count > 0) {
      this.reads.askAgain();
      host.schedule(this);
    }
    host.listener.roleChanged?.({ groupId, role: marks.state, leaderId: marks.lead, term: marks.term });
    this.onProgress?.();
  }

  #onApplied({ raw, entries, responses }: AppliedRun<Result>, outcomes: readonly Outcome[]): void {
    const { state, term } = this.marks;
    // What came before a leader's own entry has been applied as well; what comes behind is acknowledged when it is applied.
    if (state === 'StateLeader' && entries.at(-1)?.term === term) this.#holdsAll = true;
    const { count, times } = this.proposals.applied(entries, outcomes);
    if (count > 0 && times !== undefined) this.#tellApplied(count, times);
    if (raw === this.raw) {
      for (const response of responses) raw.step(response);
      this.host.schedule(this);
    }
    this.onProgress?.();
  }

  #tellApplied(count: number, times: BatchTimes): void {
    const nowMs = this.host.clock.monotonicMs();
    const { calledMs, handedMs, durableMs, committedMs } = times;
    this.host.listener.applied?.({
      groupId: this.groupId,
      proposals: count,
      queuedMs: handedMs - calledMs,
      syncedMs: Math.max(durableMs - handedMs, 0),
      committedMs: Math.max(committedMs - calledMs, 0),
      appliedMs: nowMs - calledMs,
    });
  }

  #tickSnapshots(): void {
    const progress = this.raw?.status().progress ?? [];
    this.snapshots.tick((nodeId) => progress.some(({ id, state }) => id === nodeId && state === 'StateSnapshot'));
  }

  #onLogFailed(error: Error): void {
    if (!isLogFull(error)) {
      this.host.fail(error);
      return;
    }
    const { host, groupId, log, marks } = this;
    const full = this.fullError();
    const view = this.#view();
    this.state.queue.dropWaiting();
    this.#inbox.clear();
    this.core = undefined;
    this.transfer.done();
    if (this.isOnlyVoter) this.proposals.dropped((index) => termIn(log, index), full);
    else {
      this.proposals.end(view, full);
      this.reads.end(refusal('NOT_LEADER', full.message));
    }
    this.#fullLog.begin();
    host.setTicking(this, true);
    host.schedule(this);
    host.listener.logFull?.({ groupId });
    this.onProgress?.();
    host.listener.roleChanged?.({ groupId, role: 'StateFollower', leaderId: 0, term: marks.term });
  }

  /** Tries whether there is space again. */
  async #reopen(): Promise<void> {
    const { log, options, host, groupId } = this;
    if (!this.state.queue.isIdle) return;
    await alignLog(log, options, host.nodeId);
    if (!this.isFull) return;
    this.state.catchUp();
    const { hardState } = log.initialState();
    await log.append({ snapshot: undefined, entries: [], hardState });
    if (!this.isFull) return;
    const core = this.#openCore(this.state.appliedIndex);
    this.core = core;
    host.listener.logReopened?.({ groupId });
    this.#begin(core);
  }

  #view(): LogView {
    const { raw, log } = this;
    const termAt = (index: number) => (raw === undefined ? termIn(log, index) : raw.termAt(index));
    return { termAt, commitIndex: raw?.marks().commit ?? 0, leaderId: this.marks.lead };
  }
}

/** The last entry that no change of the configuration stands before, from behind `index` on. */
function lastBeforeChange(log: GroupLog, index: number): number {
  for (let at = index + 1; at <= log.lastIndex(); ) {
    const entries = log.entries(at, log.lastIndex() + 1, replayBytes);
    if (typeof entries === 'string') return at - 1;
    const change = entries.find(({ type }) => type !== 'EntryNormal');
    if (change !== undefined) return change.index - 1;
    at += entries.length;
  }
  return log.lastIndex();
}

function termIn(log: GroupLog, index: number): number | undefined {
  const term = log.term(index);
  return typeof term === 'number' ? term : undefined;
}
