import type { ConfState } from '../configuration/configuration.js';
import type { Entry, HardState, Snapshot } from '../entry.js';

/** Why a part of the log cannot be given. `compacted`: a snapshot has taken its place. `unavailable`: it is not there yet. */
export type LogGap = 'compacted' | 'unavailable';

/**
 * What the core reads of the durable log. It never writes: it says what to write, and hears when that is done.
 *
 * The log holds entries `firstIndex` to `lastIndex` without gaps; the entry before the first is remembered by its term.
 * Synchronous, and expected to answer from memory. Errors thrown pass through the core to whoever called it.
 */
export interface LogStorage {
  /** What was written last, and the configuration at the last snapshot or compaction. Asked for once, at the start. */
  initialState(): { readonly hardState: HardState; readonly confState: ConfState };
  /** Entries [from, to) as far as they have together at most `maxBytes`, at least one; a gap where `from` is not there. `from < to`. */
  entries(from: number, to: number, maxBytes: number): readonly Entry[] | LogGap;
  /** The term of an entry in [firstIndex − 1, lastIndex]. */
  term(index: number): number | LogGap;
  /** The last entry, or the one the log begins behind. */
  lastIndex(): number;
  /** The first entry that is there, or would be. */
  firstIndex(): number;
  /**
   * A snapshot to send; `unavailable` where it has to be made first. Of a state as new as this node has applied, or nearly
   * so: it must reach the compacted part, and its configuration must name whoever it is sent to, or they ignore it.
   */
  snapshot(): Snapshot | 'unavailable';
}
