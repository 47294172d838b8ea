import type { CallOptions } from './key-value-store.js';

/** `quorum`: linearizable, held by groups. `multi-master`: every node takes writes, the last writer wins. */
export type KeyspaceMode = 'quorum' | 'multi-master';

/** The keyspaces of a cluster, as the node that answers knows them. */
export interface Keyspaces {
  /** Makes a keyspace; the same again is no error. Rejects with `CONFLICT` where there is one of the other mode. */
  create(name: string, options?: CallOptions & { readonly mode?: KeyspaceMode }): Promise<KeyspaceDescription>;
  /** Of mode multi-master, with all that is in it. Rejects with `NOT_FOUND`, or `UNSUPPORTED` in mode quorum. */
  delete(name: string, options?: CallOptions): Promise<void>;
  list(options?: CallOptions): Promise<readonly KeyspaceDescription[]>;
  /** Writes of a keyspace of mode multi-master that lost to one that had not seen them, the latest first. `limit` in [1, 1000], default 100. */
  conflicts(keyspace: string, options?: CallOptions & { readonly limit?: number }): Promise<KeyConflicts>;
  /** Entries too far ahead of the node's clock, the earliest first. `limit` likewise. */
  held(keyspace: string, options?: CallOptions & { readonly limit?: number }): Promise<HeldEntries>;
  /** Says of held entries of one stream whether they count; resolves to how many they are. `NOT_FOUND`: none. */
  giveVerdict(keyspace: string, verdict: KeyspaceVerdict, options?: CallOptions): Promise<number>;
}

/** A keyspace. The counts are those of the node that answers; 0 in mode quorum. */
export interface KeyspaceDescription {
  readonly name: string;
  readonly keyspaceId: number;
  readonly mode: KeyspaceMode;
  readonly conflictsListed: number;
  /** Since the node started. */
  readonly conflictsFound: number;
  readonly held: number;
}

/** One write of a key. */
export interface KeyVersion {
  /** The node that took it. */
  readonly origin: number;
  readonly epoch: number;
  readonly sequence: number;
  /** The hybrid logical clock. */
  readonly timeMs: number;
  readonly counter: number;
  /** Its first 1,024 bytes; absent: it deletes. */
  readonly value?: Uint8Array;
  /** Of the whole value. */
  readonly valueBytes: number;
  /** 0 = never. */
  readonly expiresAtMs: number;
}

/** Conflicts of a keyspace. */
export interface KeyConflicts {
  readonly conflicts: readonly { readonly key: Uint8Array; readonly lost: KeyVersion; readonly won: KeyVersion }[];
  /** Found by the node since it started. */
  readonly found: number;
}

/** What a node holds back. */
export interface HeldEntries {
  readonly entries: readonly { readonly key: Uint8Array; readonly version: KeyVersion; readonly aheadMs: number }[];
  /** All that are held. */
  readonly held: number;
}

/** A word on the entries of one stream from a sequence to another, both included. */
export interface KeyspaceVerdict {
  readonly decision: 'accept' | 'drop';
  readonly origin: number;
  readonly epoch: number;
  readonly firstSequence: number;
  /** Default: the first alone. */
  readonly lastSequence?: number;
}
