/**
 * Lets go of segments that need not be kept, the oldest first, in the background.
 *
 * One at a time, and the directory synced after each: otherwise a crash could bring back an older segment and lose a
 * later one, which cannot be told from a segment that somebody deleted. The same sync stands between a file's last day
 * as a segment and its first as raw material: bytes are overwritten only when no name leads to them any more.
 */
import type { Timer } from '@shanghai/env';
import { aheadName } from '../core/segment-names.js';
import type { LogState } from '../log-state.js';
import type { SegmentFiles } from '../read/segment-files.js';
import type { ResolvedWalOptions } from '../resolve-wal-options.js';
import type { Segment } from '../segment.js';
import type { Lsn, SegmentHold, SegmentPin, StragglerOptions, StragglerReport } from '../wal.js';
import type { SegmentMaker } from '../write/segment-maker.js';
import { findStragglers } from './find-stragglers.js';
import { ReleasedMarks, RetentionPolicy, usedBytes } from './retention-policy.js';

/** What a releaser needs; `onSyncFailed` poisons the log. */
export interface SegmentReleaserOptions {
  readonly state: LogState;
  readonly options: ResolvedWalOptions;
  readonly files: SegmentFiles;
  readonly maker: SegmentMaker;
  readonly onSyncFailed: (error: unknown) => void;
}

const longestTimerMs = 86_400_000;

/** Keeps what each stream released, and acts on it. */
export class SegmentReleaser {
  readonly #parts: SegmentReleaserOptions;
  readonly #marks: ReleasedMarks;
  readonly #policy: RetentionPolicy;
  #running: Promise<void> | undefined;
  /** Whether the last run let go of everything it could. */
  #progressed = false;
  #ageTimer: Timer | undefined;
  #stopped = false;

  constructor(parts: SegmentReleaserOptions) {
    this.#parts = parts;
    this.#marks = new ReleasedMarks(parts.state);
    this.#policy = new RetentionPolicy(parts.state, this.#marks, parts.options);
  }

  /** Marks never fall; those beyond the log's end hold for what comes. */
  release(stream: number, lsn: Lsn): void {
    if (this.#marks.release(stream, lsn)) this.kick();
  }

  /** Lets go of what lies below `lsn` without waiting for a limit. Resolves when nothing more can go. */
  async trim(lsn: Lsn): Promise<void> {
    this.#policy.trim(lsn);
    this.kick();
    while (this.#running !== undefined) await this.#running;
  }

  /** Looks again, because a reader left a segment, one was sealed, or time has passed. */
  kick(): void {
    if (this.#running !== undefined || this.#stopped) return;
    if (this.#nextToGo() === undefined) {
      this.#armAgeTimer();
      return;
    }
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      // Something may have become free while the last directory sync ran.
      if (this.#progressed) this.kick();
    });
  }

  /** For every segment what holds it, and the streams that still need it. */
  pins(): SegmentPin[] {
    const { segments } = this.#parts.state;
    const held: SegmentHold[] = [];
    let bytesBehind = this.#policy.bytesBehindOldest();
    for (const [index, segment] of segments.entries()) {
      if (index > 0) bytesBehind -= usedBytes(segment);
      const hold = this.#holdOf(segment, bytesBehind);
      held.push(hold === 'nothing' && held.some((older) => older !== 'nothing') ? 'older' : hold);
    }
    return segments.map((segment, index) => ({
      segment: segment.name,
      bytes: segment.fileBytes,
      finalBytes: usedBytes(segment),
      firstLsn: segment.header.baseLsn,
      lastLsn: segment.lastLsn,
      streams: segment.marks
        .entries()
        .map(({ stream, high }) => ({ stream, highestLsn: high, released: this.#marks.releasedBy(stream) }))
        .filter(({ highestLsn, released }) => highestLsn > released),
      heldBy: held[index] as SegmentHold,
    }));
  }

  /** Who keeps old segments, and who is worth rewriting. */
  stragglers(options: StragglerOptions): StragglerReport {
    return findStragglers(this.#parts.state.segments, this.#marks, options);
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    this.#stopped = true;
    this.#ageTimer?.cancel();
    await this.#running;
  }

  async #run(): Promise<void> {
    this.#progressed = false;
    for (let next = this.#nextToGo(); next !== undefined; next = this.#nextToGo()) {
      if (!(await this.#letGo(next))) {
        this.#progressed = false;
        return;
      }
      this.#progressed = true;
    }
  }

  #nextToGo(): Segment | undefined {
    const { state } = this.#parts;
    const oldest = state.segments[0];
    if (state.closed || state.failure !== undefined || oldest === undefined) return undefined;
    return this.#holdOf(oldest) === 'nothing' ? oldest : undefined;
  }

  #holdOf(segment: Segment, bytesBehind?: number): SegmentHold {
    if (segment === this.#parts.state.last || !segment.sealed) return 'active';
    if (this.#policy.isHeldByStream(segment)) return 'stream';
    if (this.#policy.isHeldByLimit(segment, bytesBehind ?? this.#policy.bytesBehindOldest())) return 'limit';
    return segment.reads > 0 ? 'reader' : 'nothing';
  }

  /** Looks again when the oldest segment comes of age. */
  #armAgeTimer(): void {
    this.#ageTimer?.cancel();
    this.#ageTimer = undefined;
    const { state, options } = this.#parts;
    const dueMs = state.closed || state.failure !== undefined ? undefined : this.#policy.nextDueMs();
    // At 0 it is of age, and what holds it is something that kicks when it ends.
    if (dueMs === undefined || dueMs === 0) return;
    this.#ageTimer = options.clock.setTimer(Math.min(dueMs, longestTimerMs), () => {
      this.#ageTimer = undefined;
      this.kick();
    });
  }

  /** Resolves to false where it did not work; the next occasion tries again. */
  async #letGo(segment: Segment): Promise<boolean> {
    const { state, options, files, maker } = this.#parts;
    const { disk, directory } = options;
    segment.released = true;
    state.segments.shift();
    const recycled = maker.wantsSpare;
    const spare = `${directory}/${aheadName(segment.header.segmentId)}`;
    try {
      await files.forget(segment);
      if (recycled) await disk.rename(segment.path, spare);
      else await disk.remove(segment.path);
    } catch {
      segment.released = false;
      state.segments.unshift(segment);
      return false;
    }
    try {
      await disk.syncDirectory(directory);
    } catch (error) {
      this.#parts.onSyncFailed(error);
      return false;
    }
    if (recycled) maker.addSpare(spare);
    options.listener.segmentReleased?.({ segment: segment.name, recycled });
    return true;
  }
}
