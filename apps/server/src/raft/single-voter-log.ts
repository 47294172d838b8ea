/**
 * The command log of a group whose only voter is this node: what its write-ahead log has synced is committed.
 *
 * Records already have the form that consensus uses (docs/formats/command-log.md): every start begins a new term with a
 * hard state and an empty entry, as a new leader does, and compaction is a record of its own.
 *
 * Proposals are appended as they come; the write-ahead log gathers what waits for the running sync. All entries that
 * became durable together are applied together: the first of them to hear of it schedules the run, and by the time it
 * starts the others have heard too.
 *
 *   open ─ soft failure (disk full) ─► full ─ new term begun ─► open
 *   open | full ─ any other failure ─► failed
 *
 * A full log tries by itself every second, so that it goes on when there is space although nobody writes. An open log
 * also shows as full, and refuses, while the applier waits for space.
 */
import { type Clock, invariant, type Timer } from '@shanghai/env';
import { type Wal, WalError, type WalRecord } from '@shanghai/wal';
import { DataDirectoryError } from '../data-directory-error.js';
import type { ServerError } from '../requests/server-error.js';
import type { CommandApplier, CommandLog, CommandLogStatus } from './command-log.js';
import { commandHeadroomBytes } from './command-log.js';
import { CommandLogError } from './command-log-error.js';
import { CompactionMarks } from './compaction-marks.js';
import {
  encodeCompaction,
  encodeEmptyEntry,
  encodeHardState,
  entryType,
  recordKind,
  writeEntryHead,
} from './entry-codec.js';
import { type Proposal, ProposalQueue } from './proposal-queue.js';
import {
  lostInFlight,
  overdue,
  type ProposalLimits,
  storageFull,
  tooLarge,
  tooMuchInFlight,
  unavailable,
} from './proposal-refusals.js';
import { type RecoveredStream, recoveredRuns, recoverStream } from './recover-stream.js';

const fullRetryMs = 1000;

/** What a single voter's log is made of. */
export interface SingleVoterLogOptions<Result> {
  readonly wal: Wal;
  /** Also the number of its stream in the write-ahead log. */
  readonly groupId: number;
  readonly nodeId: number;
  readonly applier: CommandApplier<Result>;
  /** What the applier's state holds already: replay gives it older entries too, for stores of its own behind it. */
  readonly applied: { readonly index: number; readonly term: number };
  /** Whether the log may have lost its end: acknowledged without a sync, or cut by a repair. Else that is damage. */
  readonly mayLackEnd: boolean;
  readonly limits: ProposalLimits;
  readonly clock: Clock;
  /** Told once, when the group cannot go on. */
  readonly onFailed: (error: Error) => void;
}

/** Replays a group's stream through the applier, begins a new term, and takes proposals from then on. */
export async function openSingleVoterLog<Result>(options: SingleVoterLogOptions<Result>): Promise<CommandLog<Result>> {
  const recovered = await recoverStream(options.wal, options.groupId);
  const { applied } = options;
  if (applied.index < recovered.compactedIndex) {
    throw new CommandLogError(
      'CORRUPT',
      `the store of group ${options.groupId} ends at entry ${applied.index}, but the log begins behind ` +
        `${recovered.compactedIndex}; restore the data directory from a backup`,
    );
  }
  if (applied.index > recovered.lastIndex && !options.mayLackEnd) throw lostEnd(options, recovered);
  const log = new SingleVoterLog(options, recovered);
  await log.start(recovered);
  return log;
}

function lostEnd(
  { applied, groupId }: Pick<SingleVoterLogOptions<unknown>, 'applied' | 'groupId'>,
  { lastIndex }: RecoveredStream,
): DataDirectoryError {
  return new DataDirectoryError(
    'DAMAGED',
    `the write-ahead log of group ${groupId} ends at entry ${lastIndex}, but its store is at entry ${applied.index}: what ` +
      'was synced is missing, and acknowledged writes with it; restore wal/ or the data directory from a backup, or where ' +
      "the node ran with a durability other than 'always', start it with that once",
  );
}

class SingleVoterLog<Result> implements CommandLog<Result> {
  readonly groupId: number;
  readonly #options: SingleVoterLogOptions<Result>;
  readonly #entryOptions: { readonly stream: number; readonly kind: number };
  readonly #marks = new CompactionMarks();
  #term: number;
  #firstIndex: number;
  #lastIndex: number;
  #commitIndex: number;
  #appliedIndex: number;
  readonly #queue = new ProposalQueue<Result>();
  #state: CommandLogStatus['state'] = 'open';
  #failure: Error | undefined;
  #softFailure: Error | undefined;
  /** Records of refused entries lie behind the last entry, until the next term's first one replaces them. */
  #hasStaleEnd = false;
  #applying = false;
  #termBeginning: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;
  /** Runs while something is pending. What was proposed before it was last set and is pending when it fires, is overdue. */
  #watchdog: Timer | undefined;
  #isStalled = false;
  #retryTimer: Timer | undefined;

  constructor(options: SingleVoterLogOptions<Result>, recovered: RecoveredStream) {
    this.#options = options;
    this.groupId = options.groupId;
    this.#entryOptions = { stream: options.groupId, kind: recordKind.entry };
    this.#term = Math.max(recovered.term, options.applied.term);
    this.#firstIndex = recovered.compactedIndex + 1;
    this.#lastIndex = Math.max(recovered.lastIndex, options.applied.index);
    this.#commitIndex = this.#lastIndex;
    this.#appliedIndex = options.applied.index;
  }

  /** Replays and begins a term. */
  async start(recovered: RecoveredStream): Promise<void> {
    const { wal, applier } = this.#options;
    for await (const run of recoveredRuns(wal, this.groupId, recovered)) {
      await applier.apply(run);
      const last = run.at(-1);
      invariant(last !== undefined, 'a run has entries');
      this.#appliedIndex = Math.max(this.#appliedIndex, last.index);
      for (const entry of run) this.#marks.add(entry);
    }
    invariant(this.#appliedIndex === this.#lastIndex, `applied ${this.#appliedIndex} of ${this.#lastIndex} entries`);
    const releasable = recovered.lsns[recovered.compactedIndex - recovered.firstIndex];
    if (releasable !== undefined) wal.release(this.groupId, releasable);
    // Where the state is ahead of the log (`mayLackEnd`) the log goes on behind it.
    const ahead = this.#appliedIndex > recovered.lastIndex;
    await this.#beginTerm(ahead);
    await this.#untilApplied();
    if (this.#failure !== undefined) throw this.#failure;
  }

  propose(buffer: Uint8Array): Promise<Result> {
    const refusal = this.#refusal(buffer.length);
    if (refusal !== undefined) return Promise.reject(refusal);
    const index = ++this.#lastIndex;
    const term = this.#term;
    writeEntryHead(buffer, entryType.normal, index, term);
    return new Promise<Result>((resolve, reject) => {
      const command = buffer.subarray(commandHeadroomBytes);
      const proposal: Proposal<Result> = {
        index,
        term,
        command,
        bytes: buffer.length,
        resolve,
        reject,
        lsn: 0,
        settled: 'pending',
      };
      this.#track(proposal, this.#options.wal.append(buffer, this.#entryOptions));
    });
  }

  readIndex(): Promise<number> {
    // The only voter needs nobody to confirm that it leads. Whatever was acknowledged is applied.
    if (this.#failure !== undefined) return Promise.reject(unavailable(this.groupId, this.#failure));
    return Promise.resolve(this.#appliedIndex);
  }

  async compact(index: number): Promise<void> {
    invariant(index <= this.#appliedIndex, `entry ${index} is not applied (${this.#appliedIndex} is)`);
    // A full disk is no reason to keep what is not needed: cutting the log may be what makes space.
    if (this.#state !== 'open' && this.#state !== 'full') return;
    // Behind a cut, the refused entries would look like a log whose beginning is missing.
    if (this.#hasStaleEnd) return;
    const mark = this.#marks.take(index);
    if (mark === undefined) return;
    // Where nothing came since the last cut only that cut's own two records are left. They are written anew, or a group
    // that rests would keep every segment behind them from going.
    const isIdle = this.#firstIndex > this.#lastIndex;
    if (!isIdle && mark.index < this.#firstIndex) return;
    const stream = this.groupId;
    const { wal, nodeId } = this.#options;
    const first = await wal.appendBatch([
      { stream, kind: recordKind.hardState, payload: encodeHardState(this.#commitIndex, this.#term, nodeId) },
      { stream, kind: recordKind.compaction, payload: encodeCompaction(mark.index, mark.term) },
    ]);
    // The cut must outlast what it cuts off: a log that acknowledges before it syncs would lose the one and not the other.
    await wal.flush();
    wal.release(stream, isIdle ? first - 1 : mark.lsn);
    this.#firstIndex = mark.index + 1;
  }

  status(): CommandLogStatus {
    return {
      role: 'leader',
      leaderNodeId: this.#options.nodeId,
      term: this.#term,
      firstIndex: this.#firstIndex,
      lastIndex: this.#lastIndex,
      commitIndex: this.#commitIndex,
      appliedIndex: this.#appliedIndex,
      proposalsInFlight: this.#queue.length,
      state: this.#shownState,
      isStalled: this.#isStalled && this.#shownState !== 'full',
    };
  }

  get #shownState(): CommandLogStatus['state'] {
    return this.#state === 'open' && this.#options.applier.waitsForSpace === true ? 'full' : this.#state;
  }

  close(drainMs: number): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async #close(drainMs: number): Promise<void> {
    if (this.#state !== 'failed') this.#state = 'closed';
    this.#retryTimer?.cancel();
    if (!this.#isIdle()) await this.#drain(drainMs);
    this.#watchdog?.cancel();
  }

  async #drain(drainMs: number): Promise<void> {
    const timer = this.#options.clock.setTimer(drainMs, () => {
      this.#rejectPending(new Error(`${this.#queue.length} writes did not end within ${drainMs} ms`));
      this.#idle?.();
    });
    await this.#untilApplied();
    timer.cancel();
  }

  #refusal(bytes: number): ServerError | undefined {
    if (this.#state !== 'open') return this.#refusalByState();
    if (this.#shownState === 'full') return storageFull(undefined);
    const { limits } = this.#options;
    if (bytes > limits.maxEntryBytes) return tooLarge(bytes, limits);
    const { length, bytes: inFlight } = this.#queue;
    if (length < limits.maxProposals && inFlight + bytes <= limits.maxProposalBytes) return undefined;
    return tooMuchInFlight(length, inFlight, limits);
  }

  #refusalByState(): ServerError {
    if (this.#state !== 'full') return unavailable(this.groupId, this.#failure);
    this.#tryAgain();
    return storageFull(this.#softFailure);
  }

  #track(proposal: Proposal<Result>, append: Promise<number>): void {
    this.#queue.add(proposal);
    if (this.#watchdog === undefined) this.#watch();
    append.then(
      (lsn) => this.#onDurable(proposal, lsn),
      (error: unknown) => this.#onAppendFailed(proposal, error),
    );
  }

  /**
   * Answers callers whose writes a hanging disk holds: their fate is unknown. The writes themselves stay in flight, and
   * count against the bounds until the disk answers. One timer for all costs a proposal nothing.
   */
  #watch(): void {
    const proposedBefore = this.#lastIndex;
    const { clock, limits } = this.#options;
    this.#watchdog = clock.setTimer(limits.proposalTimeoutMs, () => {
      this.#watchdog = undefined;
      const late = this.#queue.upTo(proposedBefore);
      this.#isStalled = late.length > 0;
      for (const { reject, index } of late) reject(overdue(this.groupId, index, limits));
      if (this.#queue.length > 0) this.#watch();
    });
  }

  #onDurable(proposal: Proposal<Result>, lsn: number): void {
    this.#isStalled = false;
    this.#commitIndex = this.#queue.durable(proposal, lsn) ?? this.#commitIndex;
    this.#settle();
  }

  #onAppendFailed(proposal: Proposal<Result>, error: unknown): void {
    this.#queue.failed(proposal);
    const soft = error instanceof WalError && (error.code === 'DISK_FULL' || error.code === 'QUEUE_FULL');
    if (!soft) this.#fail(error instanceof Error ? error : new Error(String(error)));
    else {
      this.#softFailure = error;
      if (this.#state === 'open') this.#state = 'full';
      this.#armRetry();
    }
    this.#settle();
  }

  /** Goes on with whatever the last settled append made possible. */
  #settle(): void {
    if (this.#queue.unsettled === 0 && this.#softFailure !== undefined && this.#failure === undefined) this.#dropHole();
    if (this.#queue.committed > 0 && !this.#applying) {
      this.#applying = true;
      queueMicrotask(() => void this.#applyCommitted());
    }
    this.#wakeIfIdle();
  }

  /** Nothing behind the hole counts (recover-stream.ts), so it can be refused as not done. */
  #dropHole(): void {
    const dropped = this.#queue.takeFromHole();
    const [first] = dropped;
    if (first === undefined) return;
    this.#lastIndex = first.index - 1;
    this.#hasStaleEnd ||= dropped.some(({ settled }) => settled === 'durable');
    for (const { reject } of dropped) reject(storageFull(this.#softFailure));
  }

  async #applyCommitted(): Promise<void> {
    try {
      while (this.#queue.committed > 0 && this.#failure === undefined) await this.#applyRun();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
    this.#applying = false;
    this.#wakeIfIdle();
  }

  async #applyRun(): Promise<void> {
    const run = this.#queue.nextRun();
    const results = await this.#options.applier.apply(run);
    invariant(results.length === run.length, `${results.length} results for ${run.length} entries`);
    if (this.#failure !== undefined) return;
    this.#queue.applied(run);
    this.#isStalled = false;
    const last = run.at(-1) as Proposal<Result>;
    this.#appliedIndex = last.index;
    this.#marks.add(last);
    for (const [i, proposal] of run.entries()) proposal.resolve(results[i] as Result);
  }

  #armRetry(): void {
    if (this.#state !== 'full' || this.#retryTimer !== undefined) return;
    this.#retryTimer = this.#options.clock.setTimer(fullRetryMs, () => {
      this.#retryTimer = undefined;
      if (this.#state === 'full') this.#tryAgain();
      this.#armRetry();
    });
  }

  #tryAgain(): void {
    if (this.#queue.unsettled > 0 || this.#termBeginning !== undefined) return;
    this.#termBeginning = this.#beginTerm(false)
      .catch(() => undefined)
      .finally(() => {
        this.#termBeginning = undefined;
      });
  }

  /** As a leader does: a new term, recorded, and an empty entry that commits what came before. */
  async #beginTerm(behindState: boolean): Promise<void> {
    const term = this.#term + 1;
    const index = this.#lastIndex + 1;
    const stream = this.groupId;
    const { wal, nodeId, applied } = this.#options;
    const records: WalRecord[] = [
      { stream, kind: recordKind.hardState, payload: encodeHardState(this.#commitIndex, term, nodeId) },
      { stream, kind: recordKind.entry, payload: encodeEmptyEntry(index, term) },
    ];
    if (behindState) {
      const payload = encodeCompaction(this.#appliedIndex, applied.term);
      records.splice(1, 0, { stream, kind: recordKind.compaction, payload });
    }
    let first: number;
    try {
      first = await wal.appendBatch(records);
    } catch (error) {
      if (this.#state === 'open') this.#fail(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
    this.#term = term;
    this.#lastIndex = index;
    this.#softFailure = undefined;
    this.#hasStaleEnd = false;
    if (this.#state === 'full') this.#state = 'open';
    if (behindState) this.#firstIndex = index;
    const nothing = () => undefined;
    const empty: Proposal<Result> = {
      index,
      term,
      command: undefined,
      bytes: 0,
      resolve: nothing,
      reject: nothing,
      lsn: 0,
      settled: 'pending',
    };
    this.#track(empty, Promise.resolve(first + records.length - 1));
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#state = 'failed';
    this.#rejectPending(error);
    this.#options.onFailed(error);
  }

  #rejectPending(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#queue.takeAll()) reject(lostInFlight(this.groupId, error));
  }

  #isIdle(): boolean {
    return this.#queue.length === 0 && !this.#applying && this.#queue.unsettled === 0;
  }

  #wakeIfIdle(): void {
    if (this.#idle === undefined || !this.#isIdle()) return;
    this.#idle();
    this.#idle = undefined;
  }

  #untilApplied(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }
}
