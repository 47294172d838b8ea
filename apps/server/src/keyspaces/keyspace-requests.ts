import type { KeyEntry, Version } from '@shanghai/replication';
import type { ListedLoss } from '../apply/lost-record.js';
import type { RequestContext } from '../requests/request-context.js';

/** How a keyspace is held: by the groups of its slots, or by every node for itself. */
export type KeyspaceMode = 'quorum' | 'multi-master';

/** Keyspaces as both APIs call them, beside the requests to their keys. */
export interface KeyspaceRequests {
  /** Succeeds where there is one of that mode; `CONFLICT` where there is one of the other. */
  create(name: string, mode: KeyspaceMode, context: RequestContext): Promise<KeyspaceDescription>;
  /** With all that is in it, at every node. `NOT_FOUND`, `UNSUPPORTED` in mode quorum. */
  delete(name: string, context: RequestContext): Promise<void>;
  /** As this node knows them, by name. Never waits. */
  list(context: RequestContext): readonly KeyspaceDescription[];
  /** Writes that lost to one that had not seen them, the latest first. `NOT_FOUND`, `UNSUPPORTED` in mode quorum. */
  conflicts(keyspace: string, limit: number, context: RequestContext): ConflictPage;
  /** What waits for this node's clock, the earliest first. Errors likewise. */
  held(keyspace: string, limit: number, context: RequestContext): HeldPage;
  /** Over all keyspaces of mode multi-master, at this node. Never waits, never throws. */
  totals(): KeyspaceTotals;
  /** Resolves to how many entries the verdict names; `NOT_FOUND` where this node holds none of those meant. */
  giveVerdict(verdict: Verdict, context: RequestContext): Promise<number>;
}

/** A keyspace. The counts are those of this node; 0 in mode quorum. */
export interface KeyspaceDescription {
  readonly name: string;
  readonly keyspaceId: number;
  readonly mode: KeyspaceMode;
  readonly conflictsListed: number;
  /** Since the node started. */
  readonly conflictsFound: number;
  readonly held: number;
}

/** Sums for metrics. */
export interface KeyspaceTotals {
  readonly conflictsFound: number;
  readonly held: number;
  /** Entries of keyspaces' logs that were folded, and that this program could not read, since the start. */
  readonly folded: number;
  readonly unreadable: number;
  /** How far behind the clock the stamp is behind which deletions may go, of the keyspace where it is least. Absent: there is none, or it is not known. */
  readonly stableAgeMs: number | undefined;
}

/** Some of the conflicts. */
export interface ConflictPage {
  readonly conflicts: readonly ListedLoss[];
  readonly found: number;
}

/** Some of what is held. */
export interface HeldPage {
  readonly entries: readonly { readonly entry: KeyEntry; readonly version: Version; readonly aheadMs: number }[];
  readonly held: number;
}

/** A word on held entries of one stream, from the first sequence to the last, both included. */
export interface Verdict {
  readonly keyspace: string;
  readonly decision: 'accept' | 'drop';
  readonly origin: number;
  readonly epoch: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
}
