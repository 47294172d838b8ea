/**
 * Which segments may go. Two kinds of users: those whose streams say what they no longer need (consensus groups, a store
 * with a log before it), for whom a segment too many is a nuisance and one too few a loss; and those who keep a plain log
 * of the last days or gigabytes, whom nobody's release should hold up.
 *
 * In both, limits say when a segment is old enough: the segments behind it hold `retainBytes`, or its last frame is
 * `retainMs` old; the first limit exceeded counts. With streams and no limits every segment is.
 */
import type { LogState } from '../log-state.js';
import type { ResolvedWalOptions } from '../resolve-wal-options.js';
import type { Segment } from '../segment.js';
import type { Lsn } from '../wal.js';

/** What streams said they no longer need. Marks never fall; those beyond the log's end hold for what comes. */
export class ReleasedMarks {
  readonly #marks = new Map<number, Lsn>();
  readonly #state: LogState;

  constructor(state: LogState) {
    this.#state = state;
  }

  /** Returns false where nothing changed. */
  release(stream: number, lsn: Lsn): boolean {
    if (lsn <= (this.#marks.get(stream) ?? 0)) return false;
    this.#marks.set(stream, lsn);
    return true;
  }

  /** The highest LSN that a stream released, or that a synced frame replaced. */
  releasedBy(stream: number): Lsn {
    return Math.max(this.#marks.get(stream) ?? 0, this.#state.durablyReplaced.below(stream) - 1);
  }

  /** Whether a stream needs a record of the segment. */
  isNeeded(segment: Segment): boolean {
    return !segment.marks.every((stream, high) => high <= this.releasedBy(stream));
  }
}

/** Judges segments by the log's options. */
export class RetentionPolicy {
  readonly #state: LogState;
  readonly #marks: ReleasedMarks;
  readonly #options: ResolvedWalOptions;
  /** Segments with lower LSNs only need not wait for a limit. */
  #trimmedTo: Lsn = 0;

  constructor(state: LogState, marks: ReleasedMarks, options: ResolvedWalOptions) {
    this.#state = state;
    this.#marks = marks;
    this.#options = options;
  }

  /** Records below `lsn` need not wait for a limit. */
  trim(lsn: Lsn): void {
    this.#trimmedTo = Math.max(this.#trimmedTo, lsn);
  }

  /** Whether a stream holds the segment. */
  isHeldByStream(segment: Segment): boolean {
    return this.#options.retention === 'streams' && this.#marks.isNeeded(segment);
  }

  /** Whether a limit holds the segment; `bytesBehind` is what those behind it take. */
  isHeldByLimit(segment: Segment, bytesBehind: number): boolean {
    const { retention, retainBytes, retainMs } = this.#options;
    if (segment.lastLsn < this.#trimmedTo) return false;
    if (retainBytes === undefined && retainMs === undefined) return retention === 'limits';
    if (retainBytes !== undefined && bytesBehind >= retainBytes) return false;
    return retainMs === undefined || this.#ageMs(segment) < retainMs;
  }

  /** Bytes of frames behind the oldest segment: what is made ahead does not count. */
  bytesBehindOldest(): number {
    return this.#state.segments.reduce((sum, segment, index) => sum + (index === 0 ? 0 : usedBytes(segment)), 0);
  }

  /** Milliseconds until the oldest sealed segment comes of age, or `undefined` where age is no matter. */
  nextDueMs(): number | undefined {
    const oldest = this.#state.segments[0];
    const { retainMs } = this.#options;
    if (retainMs === undefined || oldest === undefined || !oldest.sealed || this.isHeldByStream(oldest))
      return undefined;
    return Math.max(0, retainMs - this.#ageMs(oldest));
  }

  #ageMs(segment: Segment): number {
    return this.#options.clock.nowMs() - segment.maxTimeMs;
  }
}

/** What a segment holds, without what its file has room for. */
export function usedBytes(segment: Segment): number {
  return segment.sealed ? segment.fileBytes : segment.endOffset;
}
