import type { Hlc } from '@shanghai/replication';

/** Rows of a keyspace forget what nobody needs any more, now that every member holds all entries up to `stable`. */
export interface KeyspaceSettleCommand {
  readonly kind: 'keyspaceSettle';
  readonly keyspaceId: number;
  readonly stable: Hlc;
  /** Those that have something to forget; may be none. */
  readonly keys: readonly Uint8Array[];
}
