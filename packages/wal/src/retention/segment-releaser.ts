/**
 * Lets go of segments that no stream needs, the oldest first, in the background.
 *
 * One at a time, and the directory synced after each: otherwise a crash could bring back an older segment and lose a
 * later one, which cannot be told from a segment that somebody deleted. The same sync stands between a file's last day
 * as a segment and its first as raw material: bytes are overwritten only when no name leads to them any more.
 */
import { aheadName } from '../core/segment-names.js';
import type { LogState } from '../log-state.js';
import type { SegmentFiles } from '../read/segment-files.js';
import type { ResolvedWalOptions } from '../resolve-wal-options.js';
import type { Segment } from '../segment.js';
import type { Lsn, SegmentPin } from '../wal.js';
import type { SegmentMaker } from '../write/segment-maker.js';

/** What a releaser needs; `onSyncFailed` poisons the log. */
export interface SegmentReleaserOptions {
  readonly state: LogState;
  readonly options: ResolvedWalOptions;
  readonly files: SegmentFiles;
  readonly maker: SegmentMaker;
  readonly onSyncFailed: (error: unknown) => void;
}

/** Keeps what each stream released, and acts on it. */
export class SegmentReleaser {
  readonly #parts: SegmentReleaserOptions;
  readonly #released = new Map<number, Lsn>();
  #running: Promise<void> | undefined;
  /** Whether the last run let go of everything it could. */
  #progressed = false;

  constructor(parts: SegmentReleaserOptions) {
    this.#parts = parts;
  }

  /** Marks never fall; those beyond the log's end hold for what comes. */
  release(stream: number, lsn: Lsn): void {
    if (lsn <= this.#releasedBy(stream)) return;
    this.#released.set(stream, lsn);
    this.kick();
  }

  /** Looks again, because a reader left a segment or one was sealed. */
  kick(): void {
    if (this.#running !== undefined || this.#nextToGo() === undefined) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      // Something may have become free while the last directory sync ran.
      if (this.#progressed) this.kick();
    });
  }

  /** For every segment the streams that still need it. */
  pins(): SegmentPin[] {
    return this.#parts.state.segments.map((segment) => ({
      segment: segment.name,
      bytes: segment.fileBytes,
      firstLsn: segment.header.baseLsn,
      lastLsn: segment.lastLsn,
      streams: segment.marks
        .entries()
        .map(({ stream, high }) => ({ stream, highestLsn: high, released: this.#releasedBy(stream) }))
        .filter(({ highestLsn, released }) => highestLsn > released),
    }));
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
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
    if (state.closed || state.failure !== undefined || oldest === undefined || oldest === state.last) return undefined;
    if (!oldest.sealed || oldest.reads > 0) return undefined;
    return oldest.marks.every((stream, high) => high <= this.#releasedBy(stream)) ? oldest : undefined;
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

  #releasedBy(stream: number): Lsn {
    return this.#released.get(stream) ?? 0;
  }
}
