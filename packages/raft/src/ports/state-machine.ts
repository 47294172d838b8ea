import type { Entry, Snapshot } from '../core/entry.js';

/**
 * What committed entries are applied to. Deterministic: the same entries give the same state and the same results on
 * every node; neither clock nor settings of a node have a part in it. Calls come one after the other.
 */
export interface StateMachine<Result> {
  /** The last entry that the state holds; after a restart, the last one that was kept with it. */
  readonly appliedIndex: number;
  /**
   * Applies entries, ascending and without gaps behind `appliedIndex`, and gives a result for each. Those that the state
   * holds already change nothing; their result is `undefined`. Entries without data and configuration changes only
   * move `appliedIndex`.
   */
  apply(entries: readonly Entry[]): Promise<readonly (Result | undefined)[]>;
  /** The state as of `appliedIndex`, as bytes that later applying does not change. */
  snapshot(): Promise<Uint8Array>;
  /** Puts a state in the place of this one. One that is not newer changes nothing. */
  restore(snapshot: Snapshot): Promise<void>;
}
