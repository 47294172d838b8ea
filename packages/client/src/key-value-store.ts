import type { ErrorCode } from '@shanghai/proto';

/**
 * Bytes that a caller gives: a string stands for its UTF-8 form. A `Uint8Array` is not copied: it must not change until
 * the call has settled.
 */
export type BytesInput = Uint8Array | string;

/**
 * How fresh a read is. `linearizable`: sees every write acknowledged before it began. `session`: sees at least what
 * this client has seen. `stale`: some earlier state, from whatever replica answers.
 */
export type ReadLevel = 'linearizable' | 'session' | 'stale';

/** What every call takes. */
export interface CallOptions {
  /** How long the call may take with all its attempts, in milliseconds, > 0. Default: the client's. */
  readonly timeoutMs?: number;
  /** Gives the call up: it fails with `CANCELLED`, or with `OUTCOME_UNKNOWN` where a write may have been done. */
  readonly signal?: AbortSignal;
}

/** What a read takes. */
export interface ReadOptions extends CallOptions {
  readonly level?: ReadLevel;
  /** For level `session`: see at least what the client that gave this token has seen. Default: this client. */
  readonly token?: Uint8Array;
  /** Hears how old the answer may be. */
  readonly onFreshness?: (freshness: Freshness) => void;
}

/** How old an answer may be. */
export interface Freshness {
  /** Milliseconds since the replica that answered last heard its leader; 0 where it leads. */
  readonly staleMs: number;
  /** Opaque; gives another client's read of level `session` at least this state. */
  readonly token: Uint8Array;
}

/** A key as it is stored. The bytes belong to whoever asked. */
export interface Entry {
  readonly key: Uint8Array;
  /** Empty in a range of keys only. */
  readonly value: Uint8Array;
  /** The number of the write that made it; grows with every write of its group. */
  readonly revision: number;
  /** Milliseconds since 1970; absent: never. */
  readonly expiresAtMs?: number;
}

/** What a put takes. */
export interface PutOptions extends CallOptions {
  /** Time to live in milliseconds, > 0. Absent: for ever. */
  readonly ttlMs?: number;
}

/** Which keys a range gives, and how. */
export interface RangeOptions extends ReadOptions {
  /** Inclusive. Absent: from the first key. */
  readonly start?: BytesInput;
  /** Exclusive. Absent: to the last key. */
  readonly end?: BytesInput;
  /** Only keys that begin so. */
  readonly prefix?: BytesInput;
  /** At most so many, ≥ 1. Absent: all. */
  readonly limit?: number;
  /** From the last key to the first. */
  readonly reverse?: boolean;
  /** Without values. */
  readonly keysOnly?: boolean;
}

/** One write of a batch or transaction. */
export type WriteOperation =
  | { readonly put: BytesInput; readonly value: BytesInput; readonly ttlMs?: number }
  | { readonly append: BytesInput; readonly value: BytesInput }
  | { readonly delete: BytesInput };

/** What a batch takes. */
export interface BatchOptions extends CallOptions {
  /** All operations or none; their keys must lie in one group (keys that share a `{tag}` do). Default false. */
  readonly atomic?: boolean;
}

/** What became of one operation. `deleted` is there for deletes, `valueBytes` (length afterwards) for appends. */
export type OperationOutcome =
  | { readonly ok: true; readonly revision: number; readonly deleted?: boolean; readonly valueBytes?: number }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

/** What must hold for a transaction. `revision` 0 = there is no such key. */
export type Condition =
  | { readonly key: BytesInput; readonly exists: boolean }
  | { readonly key: BytesInput; readonly revision: number }
  | { readonly key: BytesInput; readonly value: BytesInput };

/** Which changes a watch gives: those of a key, of a prefix, of a range, or (none of them) of the whole keyspace. */
export interface WatchOptions {
  readonly key?: BytesInput;
  readonly prefix?: BytesInput;
  /** Inclusive. */
  readonly start?: BytesInput;
  /** Exclusive. */
  readonly end?: BytesInput;
  /** Opaque, from an earlier page: changes after it. Absent: from now on, which is when the first page arrives. */
  readonly position?: Uint8Array;
  readonly keysOnly?: boolean;
  /** Ends the watch: the iteration throws `CANCELLED`. */
  readonly signal?: AbortSignal;
}

/** Changes in order; none: a mark that says how far things are. */
export interface WatchPage {
  readonly events: readonly WatchEvent[];
  /** Where to go on from after this page, also with another client. */
  readonly position: Uint8Array;
}

/** One committed change. */
export interface WatchEvent {
  readonly type: 'put' | 'delete';
  readonly key: Uint8Array;
  /** Empty for deletes and with `keysOnly`. */
  readonly value: Uint8Array;
  readonly revision: number;
  readonly expiresAtMs?: number;
}

/** A set of keys. Failures are `ClientError`s. */
export interface KeyValueStore {
  /** The entry of a key, or `undefined` where there is none. */
  get(key: BytesInput, options?: ReadOptions): Promise<Entry | undefined>;
  /** The value of a key as text (UTF-8; what is not becomes U+FFFD), or `undefined` where there is none. */
  getText(key: BytesInput, options?: ReadOptions): Promise<string | undefined>;
  /** Sets a value, and says the revision of the write. */
  put(key: BytesInput, value: BytesInput, options?: PutOptions): Promise<{ readonly revision: number }>;
  /** Adds bytes to the end of a value; a missing key is an empty value. */
  append(
    key: BytesInput,
    value: BytesInput,
    options?: CallOptions,
  ): Promise<{ readonly revision: number; readonly valueBytes: number }>;
  /** Takes a key away, and says whether there was one. */
  delete(key: BytesInput, options?: CallOptions): Promise<{ readonly deleted: boolean; readonly revision: number }>;
  /**
   * Entries in order of their keys, fetched as they are asked for. Pages are read at different moments: a key that did
   * not change during the scan is given exactly once. A broken connection is taken up behind the last entry given.
   */
  range(options?: RangeOptions): AsyncIterable<Entry>;
  /** Several writes in one request: one outcome each, in order. With `atomic` a failure of one is thrown for all. */
  batch(operations: readonly WriteOperation[], options?: BatchOptions): Promise<readonly OperationOutcome[]>;
  /**
   * All conditions hold: all operations, else none and `CONFLICT`, whose details name the first condition that does not
   * hold and the key's revision. All keys must lie in one group.
   */
  transact(
    transaction: { readonly conditions: readonly Condition[]; readonly operations: readonly WriteOperation[] },
    options?: CallOptions,
  ): Promise<readonly OperationOutcome[]>;
  /** Committed changes, without gap or duplicate also over broken connections, as they are asked for. */
  watch(options?: WatchOptions): AsyncIterable<WatchPage>;
}
