/**
 * The key directory: every live key, in bytewise order, with where its newest record lies. Off the V8 heap, in parts
 * that grow separately, so that 50 million keys load without stalls; at most 45 bytes + key each.
 *
 * Positions are written into `out` objects that the caller reuses; nothing is allocated per look-up.
 */
export interface Keydir {
  readonly size: number;
  /** Bytes held, keys included. */
  readonly bytes: number;
  /** Fills `out` and returns true where the key is there. */
  get(key: Uint8Array, out: KeydirPosition): boolean;
  /** Inserts or overwrites; where there was one, fills `previous` and returns true. `key` is copied. */
  set(key: Uint8Array, position: KeydirPosition, previous?: KeydirPosition): boolean;
  /** Removes; where there was one, fills `previous` and returns true. */
  delete(key: Uint8Array, previous?: KeydirPosition): boolean;
  /** A cursor over the keys as they are while it is used: it survives changes and continues behind the last key it gave. */
  cursor(): KeydirCursor;
}

/** Where a record lies. `fileId` in [1, 2^32), `offset` in [0, 2^31), `recordBytes` in [1, 2^32), `sequence` in [1, 2^53). */
export interface KeydirPosition {
  fileId: number;
  offset: number;
  recordBytes: number;
  sequence: number;
  /** The record carries an expiry (its time is in the record). */
  expires: boolean;
}

/** Moves through the keys in order. */
export interface KeydirCursor {
  /** To the first key ≥ `key` (or the very first). Returns whether there is one. */
  seek(key?: Uint8Array): boolean;
  /** To the last key < `key` (or the very last). Returns whether there is one. */
  seekBefore(key?: Uint8Array): boolean;
  next(): boolean;
  previous(): boolean;
  /** The key at the cursor, a copy. */
  key(): Uint8Array;
  position(out: KeydirPosition): void;
}
