import type { StreamId } from './entry-id.js';
import type { Hlc } from './hlc.js';

/** What a replica durably holds of a stream: entries `firstSequence` to `lastSequence`, without gaps. */
export interface StreamPosition {
  readonly stream: StreamId;
  /** The first that can still be read; `lastSequence + 1` where none can. ≥ 1. */
  readonly firstSequence: number;
  /** The last that was received; 0 where none was. Entries up to here that cannot be read were trimmed, or skipped. */
  readonly lastSequence: number;
  /** Stamp of the entry `lastSequence`; zero where there is none, or it was passed over. */
  readonly lastHlc: Hlc;
}

/** A log of which less is known than a mark says. */
export interface BehindLog {
  readonly logId: number;
  /** Every entry of the origin up to this stamp is there all the same. */
  readonly hlc: Hlc;
}

/**
 * What a replica knows of an origin: it holds every entry of this origin with a stamp up to `hlc`, of every log; of those
 * in `behind` only up to theirs. What the origin lost and others still hold is not spoken of (`StableMarks` is careful there).
 */
export interface OriginMark {
  readonly origin: number;
  readonly hlc: Hlc;
  /** By log id, ascending; each stamp is below `hlc`. */
  readonly behind: readonly BehindLog[];
}
