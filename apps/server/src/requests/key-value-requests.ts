import type { ErrorCode } from '@shanghai/proto';
import type { Answered, ReadContext, RequestContext, WriteContext } from './request-context.js';

/**
 * The key-value plane as both APIs call it: typed requests in, answers or `ServerError`s out. Limits, keys and
 * combinations are checked here, once, before anything is written.
 */
export interface KeyValueRequests {
  /** `ttlMs` 0 = the default (1 h). */
  openSession(
    ttlMs: number,
    context: RequestContext,
  ): Promise<Answered<{ readonly sessionId: number; readonly ttlMs: number }>>;
  get(key: Uint8Array, read: ReadContext, context: RequestContext): Promise<Answered<StoredPair | undefined>>;
  /** Pages, read one at a time as the consumer asks: a consumer that stops costs one page. */
  range(request: RangeRequest, read: ReadContext, context: RequestContext): AsyncIterable<Answered<RangePage>>;
  /** One outcome for each operation, in order. Rejects where nothing was applied (`CONFLICT`: details hold condition, key, revision). */
  write(
    request: WriteRequest,
    write: WriteContext,
    context: RequestContext,
  ): Promise<Answered<readonly OperationOutcome[]>>;
  /**
   * As `write`, without the promises of every layer, which are much of what a small write costs: tells `done` once, possibly
   * before it returns. Neither of its calls may throw. Absent: there is only `write`.
   */
  submit?(request: WriteRequest, write: WriteContext, context: RequestContext, done: WriteDone): void;
  /** Committed changes from a position on; ends when the context's signal aborts. */
  watch(request: WatchRequest, context: RequestContext): AsyncIterable<WatchPage>;
}

/** Whom the end of a write is told: one of the two, once. */
export interface WriteDone {
  answered(answer: Answered<readonly OperationOutcome[]>): void;
  failed(error: unknown): void;
}

/** A key as it is stored. `expiresAtMs` 0 = never. */
export interface StoredPair {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly revision: number;
  readonly expiresAtMs: number;
}

/** Bounds as in the protocol: start inclusive, end exclusive, both optional. */
export interface RangeRequest {
  readonly start?: Uint8Array;
  readonly end?: Uint8Array;
  readonly prefix?: Uint8Array;
  readonly limit?: number;
  readonly reverse?: boolean;
  readonly keysOnly?: boolean;
  readonly continuation?: Uint8Array;
}

/** `continuation` is there when the range goes on behind this page. */
export interface RangePage {
  readonly pairs: readonly StoredPair[];
  readonly continuation?: Uint8Array;
}

/**
 * `independent`: each operation has its own result. `atomic`: all or none. `transact`: all or none, if every
 * condition holds.
 */
export interface WriteRequest {
  readonly kind: 'independent' | 'atomic' | 'transact';
  readonly operations: readonly WriteOperation[];
  readonly conditions?: readonly Condition[];
}

/** One write. `ttlMs` counts from the log time of the entry; absent = for ever. */
export type WriteOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array; readonly ttlMs?: number }
  | { readonly type: 'append'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: Uint8Array };

/** What must hold for a transaction: that a key is there or not, its revision (0 = not there), or its whole value. */
export type Condition =
  | { readonly type: 'exists'; readonly key: Uint8Array; readonly exists: boolean }
  | { readonly type: 'revision'; readonly key: Uint8Array; readonly revision: number }
  | { readonly type: 'value'; readonly key: Uint8Array; readonly value: Uint8Array };

/** What became of one operation. `deleted` only for deletes, `valueBytes` only for appends. */
export type OperationOutcome =
  | { readonly ok: true; readonly revision: number; readonly deleted?: boolean; readonly valueBytes?: number }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

/** Which changes. Absent bounds: all keys of the keyspace. `position` absent: from now on. */
export interface WatchRequest {
  readonly keyspace: string;
  readonly start?: Uint8Array;
  readonly end?: Uint8Array;
  readonly position?: Uint8Array;
  readonly keysOnly?: boolean;
}

/** Changes in revision order; none = a progress mark. `position` is where to go on from after this page. */
export interface WatchPage {
  readonly events: readonly WatchEvent[];
  readonly position: Uint8Array;
}

/** One committed change. `value` is empty for deletes and with `keysOnly`. */
export interface WatchEvent {
  readonly type: 'put' | 'delete';
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly revision: number;
  readonly expiresAtMs: number;
}
