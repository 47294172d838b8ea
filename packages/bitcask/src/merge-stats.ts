import type { BitcaskStats, MergeFailureReport, MergeProgress, MergeResult } from './bitcask.js';
import { inWindow, type MergeView, planMerge, staleRatioOf } from './core/merge-plan.js';
import { deadBytes, type Segment } from './core/segment.js';
import type { ExpiryProbe } from './expiry-probe.js';
import type { MergePace } from './merge-pace.js';
import type { StoreContext } from './store-context.js';

/** What merges have done so far, and why dead bytes are still there. */
export class MergeStats {
  readonly #store: StoreContext;
  readonly #pace: MergePace;
  readonly damaged = new Set<number>();
  readonly #probe: ExpiryProbe;
  /** Replaced segments that open iterators still read, with the monotonic time of the merge. */
  readonly retired = new Map<Segment, { readonly snapshotNumber: number; readonly sinceMs: number }>();
  progress: MergeProgress | undefined;
  last: MergeResult | undefined;
  lastFailure: MergeFailureReport | undefined;
  runs = 0;
  failures = 0;
  bytesReclaimed = 0;
  bytesRead = 0;
  bytesWritten = 0;

  constructor(store: StoreContext, pace: MergePace, probe: ExpiryProbe) {
    this.#store = store;
    this.#pace = pace;
    this.#probe = probe;
  }

  /** What plans are made by. */
  get view(): MergeView {
    const { visibleSequence } = this.#store.index;
    return { visibleSequence, damaged: this.damaged, expired: this.#probe.expired };
  }

  report(): BitcaskStats['merge'] {
    const { runs, failures, bytesReclaimed, bytesRead, bytesWritten, last, lastFailure, progress } = this;
    return {
      state: this.#pace.paused ? 'paused' : progress === undefined ? 'idle' : 'running',
      runs,
      failures,
      bytesReclaimed,
      bytesRead,
      bytesWritten,
      bytesPerSecond: this.#pace.bytesPerSecond,
      last,
      lastFailure,
      progress,
      pinnedBy: this.#pinnedBy(),
    };
  }

  #pinnedBy(): string[] {
    const { options, index } = this.#store;
    const reasons: string[] = [];
    if (this.retired.size > 0) reasons.push(this.#heldBySnapshots());
    if (this.damaged.size > 0) reasons.push(this.#heldByDamage());
    const needed = [...index.segments.values()].filter((segment) => segment.tombstonesNeeded);
    if (needed.length > 0) {
      const bytes = sumOf(needed, (segment) => segment.tombstoneBytes);
      reasons.push(`${bytes} bytes of tombstones in ${needed.length} segments hide older records in other segments`);
    }
    if (!options.merge.enabled) reasons.push('merging in the background is disabled');
    else if (this.#pace.paused) reasons.push('merging is paused');
    else if (!inWindow(options.clock.nowMs(), options.merge.window)) reasons.push('outside the merge window');
    const expired = sumOf([...this.#probe.expired.values()], (bytes) => bytes);
    if (expired > 0)
      reasons.push(`about ${Math.round(expired)} bytes have expired and wait for their segments to be merged`);
    if (this.progress === undefined) reasons.push(...this.#belowThreshold());
    return reasons;
  }

  #heldBySnapshots(): string {
    const { snapshots } = this.#store.index;
    const bytes = sumOf([...this.retired.keys()], (segment) => segment.bytes);
    const sinceMs = Math.min(...[...this.retired.values()].map((held) => held.sinceMs));
    const seconds = Math.floor((this.#store.options.clock.monotonicMs() - sinceMs) / 1_000);
    return `${snapshots.count} open snapshots hold ${this.retired.size} merged segments (${bytes} bytes), the oldest for ${seconds} s`;
  }

  #heldByDamage(): string {
    const segments = [...this.damaged].map((fileId) => this.#store.index.segments.get(fileId));
    const bytes = sumOf(segments, (segment) => (segment === undefined ? 0 : deadBytes(segment)));
    const files = [...this.damaged].map((fileId) => `'${this.#store.pool.pathOf(fileId)}'`);
    return `${bytes} dead bytes lie in damaged segments, which are not merged: ${files.join(', ')}; verify the store`;
  }

  #belowThreshold(): string[] {
    const { options, index } = this.#store;
    const segments = [...index.segments.values()];
    const thresholds = { ...options.merge, segmentBytes: options.segmentBytes };
    const { view } = this;
    if (planMerge(segments, thresholds, view).reason !== 'none') return [];
    const stale = segments.filter((segment) => segment.sealed && staleRatioOf(segment, view) >= thresholds.staleRatio);
    const dead = sumOf(segments, deadBytes);
    return [
      `below the threshold: fewer than ${thresholds.minSegments} sealed segments are ${thresholds.staleRatio} dead (${stale.length} are; ${dead} bytes are dead in all)`,
    ];
  }
}

function sumOf<T>(items: readonly T[], numberOf: (item: T) => number): number {
  return items.reduce((sum, item) => sum + numberOf(item), 0);
}
