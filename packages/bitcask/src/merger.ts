import { isErrno, type Timer } from '@shanghai/env';
import type { BitcaskStats, MergeResult } from './bitcask.js';
import { BitcaskError } from './bitcask-error.js';
import { buildHint } from './build-hint.js';
import { inWindow, type MergePlan, planForcedMerge, planMerge } from './core/merge-plan.js';
import type { Segment } from './core/segment.js';
import { hintName } from './core/segment-names.js';
import { ExpiryProbe } from './expiry-probe.js';
import type { HintJobs } from './hint-jobs.js';
import { installMerge } from './install-merge.js';
import { ManifestUnchanged } from './manifest-file.js';
import { emptyMerge, MergeExecutor } from './merge-executor.js';
import type { MergeCopied } from './merge-job.js';
import { MergePace } from './merge-pace.js';
import { MergeStats } from './merge-stats.js';
import { NoSpace } from './no-space.js';
import { diskFull } from './poisoning.js';
import type { StoreContext } from './store-context.js';
import { StoreMergeHost } from './store-merge-host.js';
import type { Writer } from './writer.js';

/** What `Bitcask.merge` takes. */
export interface MergeCall {
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

/** Runs merges, one at a time: by call, and in the background when enough is dead. Removes the inputs when no iterator needs them. */
export class Merger {
  readonly #store: StoreContext;
  readonly #writer: Writer;
  readonly #hints: HintJobs;
  readonly #pace: MergePace;
  readonly #executor: MergeExecutor;
  readonly #probe: ExpiryProbe;
  readonly #stats: MergeStats;
  readonly #stop = new AbortController();
  #removing: Promise<void> = Promise.resolve();
  #last: Promise<unknown> = Promise.resolve();
  #timer: Timer | undefined;
  readonly #onMerged: ((recordsMoved: number) => void) | undefined;
  #checking: Promise<void> = Promise.resolve();

  /** `onMerged` is called when a merge has been installed. */
  constructor(store: StoreContext, writer: Writer, hints: HintJobs, onMerged?: (recordsMoved: number) => void) {
    this.#store = store;
    this.#writer = writer;
    this.#hints = hints;
    this.#onMerged = onMerged;
    this.#pace = new MergePace(store.options.clock, store.options.merge.bytesPerSecond);
    this.#executor = new MergeExecutor(store);
    this.#probe = new ExpiryProbe(store);
    this.#stats = new MergeStats(store, this.#pace, this.#probe);
  }

  /** Looks at the triggers now and then, from now on. */
  start(): void {
    const { clock, merge } = this.#store.options;
    if (!merge.enabled || this.#stop.signal.aborted) return;
    this.#timer = clock.setTimer(merge.checkIntervalMs, () => {
      this.#checking = this.#background().then(() => this.start());
    });
  }

  pause(): void {
    this.#pace.pause();
  }

  resume(): void {
    this.#pace.resume();
  }

  /** Bytes read plus written a second from now on, also for a running merge; 0 = unlimited. */
  setRate(bytesPerSecond: number): void {
    this.#pace.bytesPerSecond = bytesPerSecond;
  }

  /** Rejects with the signal's reason, `CORRUPT`, `DISK_FULL`, or what poisoned the store; then nothing changed. */
  merge(call: MergeCall): Promise<MergeResult> {
    const mine = this.#last.then(() => this.#merge(call));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  /** Breaks a running merge off and waits for it. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#stop.abort(new BitcaskError('CLOSED', 'the store was closed before this was done; open it again'));
    this.#pace.resume();
    await this.#checking;
    await this.#last;
    await this.#removing;
  }

  stats(): BitcaskStats['merge'] {
    return this.#stats.report();
  }

  /** Removes retired segments that no open snapshot can ask for. To be called when a snapshot closed. */
  sweep(): void {
    const oldest = this.#store.index.snapshots.oldestNumber();
    for (const [segment, { snapshotNumber }] of this.#stats.retired) {
      if (oldest < snapshotNumber) continue;
      this.#stats.retired.delete(segment);
      this.#removing = this.#removing.then(() => this.#remove(segment));
    }
  }

  async #background(): Promise<void> {
    const { clock, merge, listener } = this.#store.options;
    if (this.#pace.paused || this.#store.health.failure !== undefined || !inWindow(clock.nowMs(), merge.window)) return;
    await this.#probe.next();
    if (this.#stop.signal.aborted || this.#plan(false).inputs.length === 0) return;
    try {
      await this.merge({});
    } catch (error) {
      if (!this.#stop.signal.aborted) listener.mergeFailed?.({ error: error as Error });
    }
  }

  async #merge(call: MergeCall): Promise<MergeResult> {
    const signals = call.signal === undefined ? [this.#stop.signal] : [this.#stop.signal, call.signal];
    const signal = AbortSignal.any(signals);
    signal.throwIfAborted();
    const { clock, listener } = this.#store.options;
    const startedMs = clock.monotonicMs();
    try {
      if (call.force === true) await this.#writer.exclusively(() => this.#writer.seal());
      const plan = this.#plan(call.force === true);
      if (plan.inputs.length === 0) return emptyMerge;
      const result = await this.#run(plan, signal, startedMs);
      listener.merged?.(result);
      this.#onMerged?.(result.recordsCopied);
      return result;
    } catch (error) {
      if (!signal.aborted) this.#failed(error as Error);
      throw error;
    } finally {
      this.#stats.progress = undefined;
    }
  }

  async #run(plan: MergePlan, signal: AbortSignal, startedMs: number): Promise<MergeResult> {
    const { inputs } = plan;
    const { clock, index } = { ...this.#store.options, index: this.#store.index };
    const bytesBefore = sizeOf(inputs);
    const host = new StoreMergeHost(this.#store, this.#pace, signal);
    this.#stats.progress = {
      reason: plan.reason,
      segments: inputs.length,
      bytesTotal: bytesBefore,
      get bytesRead() {
        return host.bytesRead;
      },
      get bytesWritten() {
        return host.bytesWritten;
      },
      startedAtMs: clock.nowMs(),
      onThread: this.#executor.onThread,
    };
    try {
      const copied = await this.#typed(this.#copy(inputs, host));
      await this.#install(host, inputs, copied);
      const bytesAfter = sizeOf(copied.outputs);
      this.#stats.runs++;
      this.#stats.bytesReclaimed += Math.max(0, bytesBefore - bytesAfter);
      const { nextNumber } = index.snapshots;
      for (const segment of inputs) {
        this.#stats.damaged.delete(segment.fileId);
        this.#stats.retired.set(segment, { snapshotNumber: nextNumber, sinceMs: clock.monotonicMs() });
      }
      this.sweep();
      await this.#removing;
      const { recordsCopied, tombstonesDropped } = copied;
      const durationMs = clock.monotonicMs() - startedMs;
      const segmentsMerged = inputs.length;
      this.#stats.last = { segmentsMerged, recordsCopied, tombstonesDropped, bytesBefore, bytesAfter, durationMs };
      return this.#stats.last;
    } finally {
      this.#stats.bytesRead += host.bytesRead;
      this.#stats.bytesWritten += host.bytesWritten;
    }
  }

  /** Copies; where an input's hint turns out to be damaged, once more with a new one. */
  async #copy(inputs: readonly Segment[], host: StoreMergeHost): Promise<MergeCopied> {
    for (const segment of inputs) await this.#ensureHint(segment);
    try {
      return await this.#executor.copy(inputs, host);
    } catch (error) {
      const segment = this.#segmentIn(error);
      if (segment === undefined || !isWhole(error, segment) || !segment.hinted) throw error;
      segment.hinted = false;
      await this.#ensureHint(segment);
      return this.#executor.copy(inputs, host);
    }
  }

  /** Rejects with what keeps the hint from being written: damage of the segment, or the disk. */
  async #ensureHint(segment: Segment): Promise<void> {
    if (!segment.hinted) await this.#hints.request(segment);
    if (segment.hinted) return;
    const { disk, directory } = this.#store.options;
    await buildHint(disk, directory, segment);
    segment.hinted = true;
  }

  /** A damaged segment is left alone from now on, or it would fail every merge to come. */
  #failed(error: Error): void {
    const segment = this.#segmentIn(error);
    if (segment !== undefined) this.#stats.damaged.add(segment.fileId);
    this.#stats.failures++;
    this.#stats.lastFailure = { message: error.message, atMs: this.#store.options.clock.nowMs() };
  }

  /** The segment a `CORRUPT` is about. */
  #segmentIn(error: unknown): Segment | undefined {
    if (!(error instanceof BitcaskError) || error.code !== 'CORRUPT') return undefined;
    const { pool, index } = this.#store;
    for (const segment of index.segments.values())
      if (pool.pathOf(segment.fileId) === error.details['file']) return segment;
    return undefined;
  }

  /** A failure that may have reached the manifest leaves both sets of files and poisons the store. */
  async #install(host: StoreMergeHost, inputs: readonly Segment[], copied: MergeCopied): Promise<void> {
    try {
      await installMerge(this.#store, this.#writer, inputs, copied);
    } catch (error) {
      if (!(error instanceof ManifestUnchanged)) {
        this.#store.health.poison(error as Error);
        throw error;
      }
      await host.abandon();
      throw diskFull(error as Error);
    }
  }

  /** What was written so far is removed; the store itself is not touched by a failing output. */
  async #typed<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } catch (error) {
      if (error instanceof NoSpace || isErrno(error, 'ENOSPC')) throw diskFull(error as Error);
      if (!(error instanceof Error) || (error as NodeJS.ErrnoException).syscall === undefined) throw error;
      throw new BitcaskError('IO_ERROR', `a merge failed and changed nothing: ${error.message}`, { cause: error });
    }
  }

  #plan(force: boolean): MergePlan {
    const { index, options } = this.#store;
    const { view } = this.#stats;
    if (force) return planForcedMerge(index.segments.values(), view);
    return planMerge(index.segments.values(), { ...options.merge, segmentBytes: options.segmentBytes }, view);
  }

  async #remove(segment: Segment): Promise<void> {
    const { disk, directory } = this.#store.options;
    this.#store.pool.forget(segment.fileId);
    // What cannot be removed now is dead by the manifest and removed at the next open.
    await disk.remove(this.#store.pool.pathOf(segment.fileId)).catch(() => undefined);
    await disk.remove(`${directory}/${hintName(segment.fileId)}`).catch(() => undefined);
    this.#store.index.retired.delete(segment.fileId);
  }
}

/** Whether an error doubts a segment as a whole: then it was its hint that could not be read. */
function isWhole(error: unknown, segment: Segment): boolean {
  return error instanceof BitcaskError && error.details['bytes'] === segment.bytes;
}

function sizeOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + segment.bytes, 0);
}
