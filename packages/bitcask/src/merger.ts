import { isErrno, type Timer } from '@shanghai/env';
import type { BitcaskStats, MergeResult } from './bitcask.js';
import { BitcaskError } from './bitcask-error.js';
import { inWindow, planForcedMerge, planMerge } from './core/merge-plan.js';
import type { Segment } from './core/segment.js';
import { hintName } from './core/segment-names.js';
import type { HintJobs } from './hint-jobs.js';
import { installMerge } from './install-merge.js';
import { ManifestUnchanged } from './manifest-file.js';
import { MergePace } from './merge-pace.js';
import { emptyMerge, MergeRun } from './merge-run.js';
import { NoSpace } from './no-space.js';
import { diskFull } from './poisoning.js';
import type { RecordReader } from './record-reader.js';
import type { StoreContext } from './store-context.js';
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
  readonly #reader: RecordReader;
  readonly #pace: MergePace;
  readonly #stop = new AbortController();
  /** Retired segments with the first snapshot number that cannot need them. */
  readonly #retired = new Map<Segment, number>();
  #removing: Promise<void> = Promise.resolve();
  #last: Promise<unknown> = Promise.resolve();
  #timer: Timer | undefined;
  #running = 0;
  #runs = 0;
  #bytesReclaimed = 0;

  constructor(store: StoreContext, writer: Writer, hints: HintJobs, reader: RecordReader) {
    this.#store = store;
    this.#writer = writer;
    this.#hints = hints;
    this.#reader = reader;
    this.#pace = new MergePace(store.options.clock, store.options.merge.bytesPerSecond);
  }

  /** Looks at the triggers now and then, from now on. */
  start(): void {
    const { clock, merge } = this.#store.options;
    if (!merge.enabled || this.#stop.signal.aborted) return;
    this.#timer = clock.setTimer(merge.checkIntervalMs, () => {
      void this.#background().then(() => this.start());
    });
  }

  pause(): void {
    this.#pace.pause();
  }

  resume(): void {
    this.#pace.resume();
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
    this.#stop.abort(new Error('the store was closed'));
    this.#pace.resume();
    await this.#last;
    await this.#removing;
  }

  stats(): BitcaskStats['merge'] {
    const state = this.#pace.paused ? 'paused' : this.#running > 0 ? 'running' : 'idle';
    return { state, runs: this.#runs, bytesReclaimed: this.#bytesReclaimed, pinnedBy: this.#pinnedBy() };
  }

  /** Removes retired segments that no open snapshot can ask for. To be called when a snapshot closed. */
  sweep(): void {
    const oldest = this.#store.index.snapshots.oldestNumber();
    for (const [segment, number] of this.#retired) {
      if (oldest < number) continue;
      this.#retired.delete(segment);
      this.#removing = this.#removing.then(() => this.#remove(segment));
    }
  }

  async #background(): Promise<void> {
    const { clock, merge, health } = { ...this.#store.options, health: this.#store.health };
    if (this.#pace.paused || health.failure !== undefined || !inWindow(clock.nowMs(), merge.window)) return;
    if (this.#plan(false).length === 0) return;
    try {
      await this.merge({});
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#store.options.listener.mergeFailed?.({ error: error as Error });
    }
  }

  async #merge(call: MergeCall): Promise<MergeResult> {
    const signals = call.signal === undefined ? [this.#stop.signal] : [this.#stop.signal, call.signal];
    const signal = AbortSignal.any(signals);
    signal.throwIfAborted();
    this.#running++;
    try {
      if (call.force === true) await this.#writer.exclusively(() => this.#writer.seal());
      return await this.#run(call.force === true, signal);
    } finally {
      this.#running--;
    }
  }

  async #run(force: boolean, signal: AbortSignal): Promise<MergeResult> {
    const { clock, listener } = this.#store.options;
    const startedMs = clock.monotonicMs();
    const inputs = this.#plan(force);
    if (inputs.length === 0) return emptyMerge;
    for (const segment of inputs) if (!segment.hinted) await this.#hints.request(segment);
    const bytesBefore = inputs.reduce((sum, segment) => sum + segment.bytes, 0);
    const run = new MergeRun(this.#store, this.#reader, inputs, this.#pace, signal);
    const merged = await this.#typed(run.write());
    await this.#install(run, inputs, merged);
    const bytesAfter = merged.outputs.reduce((sum, segment) => sum + segment.bytes, 0);
    this.#runs++;
    this.#bytesReclaimed += Math.max(0, bytesBefore - bytesAfter);
    for (const segment of inputs) this.#retired.set(segment, this.#store.index.snapshots.nextNumber);
    this.sweep();
    await this.#removing;
    const { recordsCopied, tombstonesDropped } = merged;
    const result = {
      segmentsMerged: inputs.length,
      recordsCopied,
      tombstonesDropped,
      bytesBefore,
      bytesAfter,
      durationMs: clock.monotonicMs() - startedMs,
    };
    listener.merged?.(result);
    return result;
  }

  /** A failure that may have reached the manifest leaves both sets of files and poisons the store. */
  async #install(
    run: MergeRun,
    inputs: readonly Segment[],
    merged: Awaited<ReturnType<MergeRun['write']>>,
  ): Promise<void> {
    try {
      await installMerge(this.#store, this.#writer, inputs, merged);
    } catch (error) {
      if (!(error instanceof ManifestUnchanged)) {
        this.#store.health.poison(error as Error);
        throw error;
      }
      await run.abandon();
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

  #plan(force: boolean): Segment[] {
    const { index, options } = this.#store;
    if (force) return planForcedMerge(index.segments.values());
    return planMerge(index.segments.values(), { ...options.merge, segmentBytes: options.segmentBytes });
  }

  async #remove(segment: Segment): Promise<void> {
    const { disk, directory } = this.#store.options;
    this.#store.pool.forget(segment.fileId);
    // What cannot be removed now is dead by the manifest and removed at the next open.
    await disk.remove(this.#store.pool.pathOf(segment.fileId)).catch(() => undefined);
    await disk.remove(`${directory}/${hintName(segment.fileId)}`).catch(() => undefined);
    this.#store.index.retired.delete(segment.fileId);
  }

  #pinnedBy(): string[] {
    const { options, index } = this.#store;
    const reasons: string[] = [];
    if (this.#retired.size > 0)
      reasons.push(`${index.snapshots.count} open snapshots hold ${this.#retired.size} merged segments`);
    if (!options.merge.enabled) reasons.push('merging in the background is disabled');
    else if (this.#pace.paused) reasons.push('merging is paused');
    else if (!inWindow(options.clock.nowMs(), options.merge.window)) reasons.push('outside the merge window');
    if (this.#running === 0 && this.#plan(false).length === 0) {
      reasons.push(
        `below the threshold: fewer than ${options.merge.minSegments} sealed segments are ${options.merge.staleRatio} dead`,
      );
    }
    return reasons;
  }
}
