import type { StreamId } from '../core/entry-id.js';
import type { Hlc } from '../core/hlc.js';
import type { AcknowledgementLevel } from '../core/holdings.js';
import type { ReplicatorStatus, StatusFilter } from './replication-status.js';

/** A node of the cluster. */
export interface ReplicationMember {
  readonly nodeId: number;
  /** `host:port` of its listener for replication. Not looked at for this node. */
  readonly address: string;
}

/**
 * Keeps the copies of all multi-master logs alike: fetches what the store lacks from the other members, ships to them what
 * they lack, and knows who holds what. Made by `openReplicator`. Open until closed; a failure of the store closes it
 * (`onFatal`).
 */
export interface Replicator {
  /**
   * The members that are not removed; this node may be among them or not, it counts. Sessions with others are ended. Who is
   * named for the first time is counted as holding nothing until it is heard.
   */
  setMembers(members: readonly ReplicationMember[]): void;

  /** Ships nothing to a follower, or to any, until `resume`. What it says is still heard. */
  pause(follower: number | 'all'): void;
  resume(follower: number | 'all'): void;

  /**
   * Resolves when so many of the members are known to hold the entry durably, each counted once; at once where they do.
   * Rejects with the signal's reason, with `CLOSED`, or with `BUSY` where `maxWaiters` wait already. A caller that gives up
   * does not know whether the entry is, or comes to be, held.
   */
  whenHeldBy(stream: StreamId, sequence: number, level: AcknowledgementLevel, signal?: AbortSignal): Promise<void>;

  /** The last sequence of a stream that `level` members are known to hold; 0 where there is none. */
  heldBy(stream: StreamId, level: AcknowledgementLevel): number;

  /**
   * Per origin, the stamp up to which every member holds every entry of a log: behind it nothing can come any more that
   * has to be compared with what was deleted. `undefined` as long as a member was not heard since this node started, or
   * members differ in what an epoch that has ended, or a node that was removed, left in this log.
   */
  stableAt(logId: number, origin: number): Hlc | undefined;

  /**
   * The stamp up to which this node holds all entries of a log, of all members: readers in the order of stamps may go so far.
   * Entries that an origin had lost and that come back from others may still be earlier.
   */
  watermark(logId: number): Hlc;

  /**
   * Whether every member has said what it holds since this node started, and nothing of it showed that this node has lost
   * something of its own, or the new epoch for that is begun.
   */
  hasHeardAll(): boolean;

  /** How everything stands; `followers` only of what the filter names. */
  status(filter?: StatusFilter): ReplicatorStatus;

  /** Ends the sessions and waits for what the store is doing. Waiters are rejected with `CLOSED`. Idempotent. */
  close(): Promise<void>;
}
