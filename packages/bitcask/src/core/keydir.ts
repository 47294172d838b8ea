import { OrderedKeydir, PackedKeydir } from './keydir/ordered-keydir.js';

/**
 * The key directory: every live key, in bytewise order, with where its newest record lies. Off the V8 heap, in parts
 * that grow separately, so that 50 million keys load without stalls; at most 45 bytes + key each.
 *
 * Positions are written into `out` objects that the caller reuses; nothing is allocated per look-up. Keys are bytes of
 * any length, none included; those above 512 bytes are kept as objects of their own and cost some 150 bytes more.
 */
export interface Keydir {
  readonly size: number;
  /** Bytes held, keys included: pages in use, and what does not fit into them. */
  readonly bytes: number;
  /** Fills `out` and returns true where the key is there. */
  get(key: Uint8Array, out: KeydirPosition): boolean;
  /**
   * Inserts or overwrites; where there was one, fills `previous` and returns true. `key` is copied. Fastest when keys
   * come in ascending order, which also leaves pages full. Throws `RangeError` for a position out of its ranges.
   */
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

/**
 * Moves through the keys in order. It stands on no key until a seek succeeds; a `next` or `previous` that finds none
 * leaves it on the key it has, so that keys added behind that one are found by a later call. Keys may come and go
 * between calls, also the one it stands on.
 */
export interface KeydirCursor {
  /** To the first key ≥ `key` (or the very first). Returns whether there is one; where not, it stands on no key. */
  seek(key?: Uint8Array): boolean;
  /** To the last key < `key` (or the very last). Returns whether there is one; where not, it stands on no key. */
  seekBefore(key?: Uint8Array): boolean;
  /** To the first key above the one it stands on. Returns whether there is one. */
  next(): boolean;
  /** To the last key below the one it stands on. Returns whether there is one. */
  previous(): boolean;
  /** The key at the cursor, a copy. Throws `RangeError` where it stands on none. */
  key(): Uint8Array;
  /** Where the key at the cursor lies, in the first `keyBytes` bytes; valid until the cursor moves. For walks that copy it anyway. */
  readonly keyBuffer: Uint8Array;
  readonly keyBytes: number;
  /** Fills `out` with the key's position as of now; false where the key has been deleted since the cursor came to it. */
  position(out: KeydirPosition): boolean;
}

/** How a keydir lays out its memory. The defaults are measured (ADR 0006); tests use small pages. */
export interface KeydirOptions {
  /** Bytes of a page: a power of two in [512, 32768]; 4096 by default. */
  readonly pageBytes?: number;
  /** Bytes allocated at a time: a power of two in [pageBytes, 2^30]; 1 MiB by default. */
  readonly chunkBytes?: number;
}

/** An empty keydir. */
export function createKeydir(options: KeydirOptions = {}): Keydir {
  return new OrderedKeydir(options);
}

/** Makes a keydir of keys that come in order: several times faster than setting them one by one. */
export interface KeydirBuilder {
  /** Adds the first `keyBytes` bytes of `key`, copied. Every key must be above the one before. */
  add(key: Uint8Array, keyBytes: number, position: KeydirPosition): void;
  /** The keydir; the builder is used up. */
  finish(): Keydir;
}

/** A builder without keys. */
export function createKeydirBuilder(options: KeydirOptions = {}): KeydirBuilder {
  return new PackedKeydir(options);
}
