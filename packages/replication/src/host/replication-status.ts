import type { Credit } from '../core/credit.js';

/**
 * How a follower stands to the entries of an origin, as this node sees it. `healthy`: it lacks nothing, or nothing for
 * long; `lagging`, `stale`: it has lacked something for as long as the limits say; `waiting for credit`: it takes no more
 * at present; `paused`: shipping to it was stopped by a call; `disconnected`: it is not heard.
 */
export type FollowerState = 'healthy' | 'lagging' | 'stale' | 'waiting for credit' | 'paused' | 'disconnected';

/** An origin's entries on a follower. */
export interface FollowerStatus {
  readonly origin: number;
  readonly follower: number;
  readonly state: FollowerState;
  /** In words, where the state is not `healthy`. */
  readonly reason: string;
  /**
   * Entries of the origin, of all epochs and of all logs or the one that was asked for, that the follower holds, and that
   * this node holds and the follower does not.
   */
  readonly heldEntries: number;
  readonly lagEntries: number;
  /** For how long it has lacked something; 0 where it lacks nothing, so that idle is told from stuck. */
  readonly lagMs: number;
  /** Since the follower last said that it holds more of this origin, of whatever log; -1 where it never has. */
  readonly sinceProgressMs: number;
  /** Whether this node ships the origin to it now. */
  readonly isShipping: boolean;
  /** What may still be sent to it, of all origins together, before it grants more; `undefined` where there is no session. */
  readonly credit: Credit | undefined;
  /** How far it is with the streams of the origin in the log that was asked for; empty where none was. */
  readonly positions: readonly FollowerPosition[];
}

/** A stream on a follower. */
export interface FollowerPosition {
  readonly epoch: number;
  /** The last sequence that the follower holds, and that this node holds. */
  readonly heldSequence: number;
  readonly sequence: number;
}

/** What of it is asked for. */
export interface StatusFilter {
  readonly origin?: number;
  readonly logId?: number;
}

/** A session in which this node ships. */
export interface ShippingStatus {
  readonly follower: number;
  /** What may still be sent before more is granted, and what was granted in all. */
  readonly creditEntries: number;
  readonly creditBytes: number;
  readonly windowEntries: number;
  readonly windowBytes: number;
  readonly isPaused: boolean;
  readonly sentEntries: number;
  readonly sentBytes: number;
  /** For how long in all there was something to send and no credit for it. */
  readonly blockedMs: number;
}

/** A session in which this node fetches. */
export interface FetchingStatus {
  readonly source: number;
  /** Whose entries it is asked for. */
  readonly origins: readonly number[];
  readonly receivedEntries: number;
  readonly receivedBytes: number;
}

/** All of it, at one moment. */
export interface ReplicatorStatus {
  readonly nodeId: number;
  readonly followers: readonly FollowerStatus[];
  readonly shipping: readonly ShippingStatus[];
  readonly fetching: readonly FetchingStatus[];
  /** Members without a session in which this node fetches from them. */
  readonly unreachable: readonly number[];
}
