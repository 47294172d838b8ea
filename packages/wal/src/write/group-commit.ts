/**
 * Group commit by natural batching: everything that queues while one write and sync run is written and synced together
 * next. No timer is needed; the busier the log, the larger the groups. A lone append goes at once.
 *
 * The loop runs on the caller's thread with asynchronous disk calls, so a disk that stalls holds up appends and nothing
 * else. A dedicated thread was measured and lost: handing records over costs more than writing them.
 *
 * When a group is acknowledged, its callers go on and most append again. The loop lets their microtasks run before it
 * takes the next group; taking the first arrival alone would halve the group size.
 */
import { delay, invariant, type Timer } from '@shanghai/env';
import { type RecordRun, runPayloadBytes } from '../core/record-run.js';
import type { LogState } from '../log-state.js';
import type { ResolvedWalOptions } from '../resolve-wal-options.js';
import type { Lsn, WalRecord } from '../wal.js';
import { WalError } from '../wal-error.js';
import { poisonedError } from '../wal-failures.js';
import { AppendQueue } from './append-queue.js';
import type { SegmentWriter } from './segment-writer.js';

/** After this long without an append the last one is covered by an empty frame. */
const coverAfterIdleMs = 20;
/** A group is taken after so many turns of the microtask queue in which nobody came: callers are behind a few `await`s of their own. */
const gatherTurns = 3;

/** What the loop has done so far. */
export interface CommitCounters {
  readonly syncs: number;
  readonly lastSyncMs: number;
  readonly queuedBytes: number;
  readonly appendedBytes: number;
}

/** Queues appends and commits them in groups. */
export class GroupCommit {
  readonly #state: LogState;
  readonly #options: ResolvedWalOptions;
  readonly #writer: SegmentWriter;
  #filling = new AppendQueue();
  #spare = new AppendQueue();
  #queuedBytes = 0;
  #appendedBytes = 0;
  #running: Promise<void> | undefined;
  /** A sync that appends do not wait for. */
  #beside: Promise<void> | undefined;
  #turns = 0;
  #syncs = 0;
  #lastSyncMs = 0;
  #syncDue = false;
  #coverDue = false;
  #rotateDue = false;
  #stopping = false;
  #syncTimer: Timer | undefined;
  #coverTimer: Timer | undefined;
  #ageTimer: Timer | undefined;

  constructor(state: LogState, options: ResolvedWalOptions, writer: SegmentWriter) {
    this.#state = state;
    this.#options = options;
    this.#writer = writer;
    this.#armAgeTimer();
  }

  get counters(): CommitCounters {
    return {
      syncs: this.#syncs,
      lastSyncMs: this.#lastSyncMs,
      queuedBytes: this.#queuedBytes,
      appendedBytes: this.#appendedBytes,
    };
  }

  /** Queues one record; the caller has checked it. */
  append(payload: Uint8Array, stream: number, kind: number): Promise<Lsn> {
    if (!this.#admit(payload.length)) return Promise.reject(this.#queueFull());
    const promise = this.#filling.add(payload, stream, kind);
    this.#kick();
    return promise;
  }

  /** Queues records that stay together; the caller has checked them. */
  appendBatch(records: readonly WalRecord[], payloadBytes: number): Promise<Lsn> {
    if (!this.#admit(payloadBytes)) return Promise.reject(this.#queueFull());
    const promise = this.#filling.addAll(records, payloadBytes);
    this.#kick();
    return promise;
  }

  /** Likewise, a run; the caller has checked it. */
  appendRun(run: RecordRun): Promise<Lsn> {
    if (!this.#admit(runPayloadBytes(run.bytes, run.count))) return Promise.reject(this.#queueFull());
    const promise = this.#filling.addRun(run);
    this.#kick();
    return promise;
  }

  /** Queues a frame that replaces a stream; the caller has checked its records. */
  replaceStream(stream: number, records: readonly Omit<WalRecord, 'stream'>[], payloadBytes: number): Promise<Lsn> {
    if (!this.#admit(payloadBytes)) return Promise.reject(this.#queueFull());
    const promise = this.#filling.addReplacement(stream, records, payloadBytes);
    this.#kick();
    return promise;
  }

  /** Resolves when everything queued so far is synced. */
  flush(): Promise<void> {
    if (this.#running === undefined && this.#filling.isEmpty && !this.#writer.hasUnsynced) return Promise.resolve();
    const promise = this.#filling.addFlush();
    this.#kick();
    return promise;
  }

  /** Commits what is queued, syncs, states what is synced, and stops. Rejects with the failure of these last steps. */
  async close(): Promise<void> {
    this.#stopping = true;
    await this.#running;
    await this.#beside;
    for (const timer of [this.#syncTimer, this.#coverTimer, this.#ageTimer]) timer?.cancel();
    if (this.#state.failure !== undefined) return;
    try {
      if (this.#writer.hasUnsynced) await this.#sync();
      if (this.#writer.needsCover) await this.#writer.cover();
    } catch (error) {
      // Without the covering frame nothing is lost, only a later damage of the last frame would pass for a torn tail.
      if (!(error instanceof WalError)) this.#poison(error);
    }
    if (this.#state.failure !== undefined) throw poisonedError(this.#state.failure);
  }

  #admit(payloadBytes: number): boolean {
    // An empty queue takes anything: what is larger than the whole queue could never be appended otherwise.
    if (this.#queuedBytes > 0 && this.#queuedBytes + payloadBytes > this.#options.maxQueuedBytes) return false;
    this.#queuedBytes += payloadBytes;
    this.#appendedBytes += payloadBytes;
    return true;
  }

  #queueFull(): WalError {
    const queuedBytes = this.#queuedBytes;
    this.#options.listener.queueFull?.({ queuedBytes });
    return new WalError(
      'QUEUE_FULL',
      `${queuedBytes} bytes wait for the disk, at most ${this.#options.maxQueuedBytes} may; append again later`,
      { details: { queuedBytes, maxQueuedBytes: this.#options.maxQueuedBytes } },
    );
  }

  #kick(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    await this.#gather();
    while (this.#hasWork()) {
      await this.#turn();
      await this.#gather();
    }
    // No await between the last look for work and this line: an append sees either the loop or none.
    this.#running = undefined;
    if (this.#state.failure !== undefined) this.#failWaiting();
    this.#armIdleTimer();
  }

  async #gather(): Promise<void> {
    for (let quiet = 0, seen = this.#filling.appends; quiet < gatherTurns; quiet++) {
      await undefined;
      if (this.#filling.appends === seen) continue;
      seen = this.#filling.appends;
      quiet = -1;
    }
    if (this.#options.lingerMs > 0 && this.#filling.appends === 1 && !this.#stopping) {
      await delay(this.#options.clock, this.#options.lingerMs, undefined, { keepsProcess: true });
    }
  }

  #hasWork(): boolean {
    if (this.#state.failure !== undefined) return false;
    return !this.#filling.isEmpty || this.#syncDue || this.#coverDue || this.#rotateDue;
  }

  async #turn(): Promise<void> {
    const queue = this.#filling;
    this.#filling = this.#spare;
    this.#spare = queue;
    this.#turns++;
    const { batch } = queue;
    const payloadBytes = batch.payloadBytes;
    const firstLsn = this.#state.last.nextLsn;
    let written = 0;
    let failure: Error | undefined;
    try {
      if (batch.records > 0) batch.finish();
      failure = await this.#write(queue, (records) => {
        written = records;
      });
    } catch (error) {
      failure = this.#poison(error);
      // In the weaker modes a record may be called written before the failure; here nobody is told so any more.
      written = 0;
    }
    this.#queuedBytes -= payloadBytes;
    queue.settle(firstLsn, written, failure);
    this.#state.changed();
  }

  /** Writes and syncs a group. Resolves to the soft failure that ended the writing, if one did. */
  async #write(queue: AppendQueue, onWritten: (records: number) => void): Promise<WalError | undefined> {
    const { batch } = queue;
    const startedMs = this.#options.clock.monotonicMs();
    let soft: WalError | undefined;
    try {
      if (this.#rotateDue || (batch.records > 0 && this.#writer.isAged)) await this.#rotateAged();
      if (batch.records > 0) await this.#writer.write(batch, onWritten);
    } catch (error) {
      if (!(error instanceof WalError)) throw error;
      soft = error;
    }
    const isAwaited = this.#options.durability === 'always' || queue.hasFlushes;
    const isDue = this.#syncDue;
    this.#syncDue = false;
    if (this.#writer.hasUnsynced) {
      if (isAwaited) await this.#sync(startedMs, batch.records, batch.payloadBytes);
      else if (isDue) this.#syncBeside();
    }
    if (this.#coverDue) await this.#cover();
    this.#armAgeTimer();
    this.#armSyncTimer();
    return soft;
  }

  async #sync(startedMs = this.#options.clock.monotonicMs(), records = 0, bytes = 0): Promise<void> {
    const { clock, listener } = this.#options;
    const writtenMs = clock.monotonicMs();
    await this.#writer.sync();
    this.#syncs++;
    this.#lastSyncMs = clock.monotonicMs() - writtenMs;
    listener.synced?.({ records, bytes, writeMs: writtenMs - startedMs, syncMs: this.#lastSyncMs });
  }

  /** Syncs while appends go on: nobody waits for it. One at a time; what it does not cover waits for the next interval. */
  #syncBeside(): void {
    this.#beside ??= this.#sync()
      .catch((error: unknown) => this.poison(error))
      .finally(() => {
        this.#beside = undefined;
        if (this.#stopping || this.#state.failure !== undefined) return;
        this.#armSyncTimer();
        if (this.#running === undefined) this.#armIdleTimer();
      });
  }

  async #cover(): Promise<void> {
    this.#coverDue = false;
    if (!this.#writer.needsCover) return;
    try {
      await this.#writer.cover();
      this.#syncs++;
    } catch (error) {
      if (!(error instanceof WalError)) throw error;
    }
  }

  async #rotateAged(): Promise<void> {
    this.#rotateDue = false;
    if (this.#writer.isAged) await this.#writer.rotate();
  }

  /** Makes every waiting and later call fail with `cause`. The first failure is kept: what comes after follows from it. */
  poison(cause: unknown): void {
    this.#poison(cause);
    // The loop, where it runs, fails those who wait when it ends.
    if (this.#running === undefined) this.#failWaiting();
  }

  #poison(cause: unknown): WalError {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    if (this.#state.failure === undefined) {
      this.#state.failure = error;
      this.#options.listener.poisoned?.({ error });
    }
    return poisonedError(this.#state.failure);
  }

  #failWaiting(): void {
    invariant(this.#state.failure !== undefined, 'appends fail together only where the log has failed');
    this.#queuedBytes = 0;
    this.#filling.fail(poisonedError(this.#state.failure));
  }

  #armIdleTimer(): void {
    if (this.#stopping || this.#state.failure !== undefined) return;
    if (this.#coverTimer === undefined && this.#writer.needsCover) this.#armCoverTimer();
  }

  #armSyncTimer(): void {
    const { clock, durability, syncIntervalMs } = this.#options;
    if (durability !== 'interval' || this.#syncTimer !== undefined || !this.#writer.hasUnsynced) return;
    this.#syncTimer = clock.setTimer(syncIntervalMs, () => {
      this.#syncTimer = undefined;
      this.#syncDue = true;
      this.#kick();
    });
  }

  /** Looks again after a while; covers only if the log was idle all that time, because the next frame would do it. */
  #armCoverTimer(): void {
    const turns = this.#turns;
    this.#coverTimer = this.#options.clock.setTimer(coverAfterIdleMs, () => {
      this.#coverTimer = undefined;
      if (this.#turns !== turns || this.#running !== undefined) {
        this.#armIdleTimer();
        return;
      }
      this.#coverDue = true;
      this.#kick();
    });
  }

  #armAgeTimer(): void {
    const { last } = this.#state;
    if (this.#ageTimer !== undefined || last.records === 0 || last.sealed || this.#stopping) return;
    const dueMs = last.header.createdMs + this.#options.segmentAgeMs - this.#options.clock.nowMs();
    this.#ageTimer = this.#options.clock.setTimer(Math.max(1, Math.min(dueMs, this.#options.segmentAgeMs)), () => {
      this.#ageTimer = undefined;
      this.#rotateDue = true;
      this.#kick();
    });
  }
}
