import type { GivingId, Hlc } from '@shanghai/replication';

/** Rows of a keyspace forget what nobody needs any more, now that every member holds all entries up to `stable`. */
export interface KeyspaceSettleCommand {
  readonly kind: 'keyspaceSettle';
  readonly keyspaceId: number;
  readonly stable: Hlc;
  /** Those that have something to forget; may be none. */
  readonly keys: readonly Uint8Array[];
}

/** A page of another node's rows is merged; with the last one the streams of the log go on where its rows reach. */
export interface KeyspaceRowsCommand {
  readonly kind: 'keyspaceRows';
  readonly keyspaceId: number;
  /** As `encodeRowPage` of `@shanghai/replication` writes it. */
  readonly page: Uint8Array;
}

/** What a set of rows left that was broken off is removed from these keys' rows; with `isLast` it is given up. */
export interface KeyspaceCleanCommand {
  readonly kind: 'keyspaceClean';
  readonly keyspaceId: number;
  readonly giving: GivingId;
  readonly isLast: boolean;
  readonly keys: readonly Uint8Array[];
}

/** Rows of a keyspace whose log was dropped go. */
export interface KeyspacePurgeCommand {
  readonly kind: 'keyspacePurge';
  readonly keyspaceId: number;
  /** Of the store, whole; those of other parts or keyspaces are passed over. */
  readonly keys: readonly Uint8Array[];
}

/** What becomes of a keyspace's rows beside what entries do. */
export type KeyspaceCommand = KeyspaceSettleCommand | KeyspaceRowsCommand | KeyspaceCleanCommand | KeyspacePurgeCommand;
