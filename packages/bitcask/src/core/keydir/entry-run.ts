/**
 * Entries in key order, taken out of one or two pages together with at most one that is in none, from which pages are
 * written anew: the common ground of splitting, joining, evening out and compacting.
 *
 * The pages are copied aside first, so that they may be written over at once. Where source and target have the same
 * prefix a record is copied as it is; else its key is put together and encoded again.
 */

import { keyBytesAt, readKey, readKeyInto } from './page-keys.js';
import type { Chunk } from './page-pool.js';
import { createChunk } from './page-pool.js';
import { POSITION_BYTES } from './position-codec.js';
import {
  appendSameEntry,
  childAt,
  endAscendingRun,
  entryBytesFor,
  entryCount,
  formatPage,
  insertEntry,
  type LongKeys,
  MIN_ENTRY_BYTES,
  pageLevel,
  payloadAt,
  prefixBytes,
  releaseLongKey,
  setChildAt,
} from './slotted-page.js';

const FRESH = 2;

/** Where a page is written: its place, and the key whose first `prefix` bytes become its prefix. */
export interface PageTarget {
  readonly chunk: Chunk;
  readonly base: number;
  readonly prefixKey: Uint8Array;
  readonly prefix: number;
  /** Inner pages: the child left of the first entry. */
  readonly leftmost: number;
}

/** One run at a time: `begin`, take and push, look, `write`. The scratch memory is reused. */
export class EntryRun {
  readonly #pageBytes: number;
  readonly #longKeys: LongKeys;
  readonly #pages: readonly [Chunk, Chunk];
  readonly #sources: Uint8Array;
  readonly #indexes: Uint16Array;
  readonly #payload = createChunk(POSITION_BYTES);
  readonly #recodedPayload = createChunk(POSITION_BYTES);
  readonly #keyScratch: Uint8Array;
  #freshKey: Uint8Array = new Uint8Array(0);
  #count = 0;
  #level = 0;

  constructor(pageBytes: number, longKeys: LongKeys) {
    this.#pageBytes = pageBytes;
    this.#longKeys = longKeys;
    this.#pages = [createChunk(pageBytes), createChunk(pageBytes)];
    const most = 2 * Math.floor(pageBytes / MIN_ENTRY_BYTES) + 1;
    this.#sources = new Uint8Array(most);
    this.#indexes = new Uint16Array(most);
    this.#keyScratch = new Uint8Array(pageBytes);
  }

  get count(): number {
    return this.#count;
  }

  /** Empties the run, which from now on takes entries of pages of `level`. */
  begin(level: number): void {
    this.#count = 0;
    this.#level = level;
  }

  /** Copies a page aside as number `slot`; returns how many entries it has. */
  takePage(slot: 0 | 1, chunk: Chunk, base: number): number {
    const page = this.#pages[slot];
    page.bytes.set(chunk.bytes.subarray(base, base + this.#pageBytes));
    return entryCount(page, 0);
  }

  /** Appends entries [from, to) of page `slot`. */
  pushEntries(slot: 0 | 1, from: number, to: number): void {
    for (let index = from; index < to; index += 1) this.#push(slot, index);
  }

  /** Appends an entry that is in no page. `key` is kept until the next one; the payload is copied. */
  pushFresh(key: Uint8Array, payload: Chunk): void {
    this.#freshKey = key;
    this.#payload.bytes.set(payload.bytes);
    this.#push(FRESH, 0);
  }

  /** Appends an inner page's entry that is in no page. */
  pushFreshChild(key: Uint8Array, child: number): void {
    this.#freshKey = key;
    this.#payload.view.setUint32(0, child, true);
    this.#push(FRESH, 0);
  }

  #push(source: number, index: number): void {
    this.#sources[this.#count] = source;
    this.#indexes[this.#count] = index;
    this.#count += 1;
  }

  /** Bytes of entries [from, to), header and prefix not counted, in a page with `prefix`. */
  bytesWith(prefix: number, from: number, to: number): number {
    let bytes = 0;
    for (let i = from; i < to; i += 1) bytes += this.entryBytesWith(prefix, i);
    return bytes;
  }

  /** Bytes of entry `i` in a page with `prefix`. */
  entryBytesWith(prefix: number, i: number): number {
    return entryBytesFor(this.#pageBytes, this.#level, prefix, this.#keyBytes(i));
  }

  /**
   * The prefix length under which entries [from, to) make the smallest page: `most`, or one of `others` up to it. A
   * longer prefix is not always better, because it does not shorten the entries of long keys.
   */
  tightestPrefix(from: number, to: number, most: number, others: readonly number[]): number {
    let best = most;
    let bestBytes = Number.POSITIVE_INFINITY;
    if (others.every((prefix) => prefix >= most)) return most;
    for (const prefix of [most, ...others]) {
      const bytes = prefix + this.bytesWith(prefix, from, to);
      if (prefix > most || bytes >= bestBytes) continue;
      best = prefix;
      bestBytes = bytes;
    }
    return best;
  }

  #keyBytes(i: number): number {
    const source = this.#sources[i] as number;
    if (source === FRESH) return this.#freshKey.length;
    return keyBytesAt(this.#pages[source as 0 | 1], 0, this.#indexes[i] as number, this.#longKeys);
  }

  /** The key of entry `i`, a copy. */
  key(i: number): Uint8Array {
    const source = this.#sources[i] as number;
    if (source === FRESH) return this.#freshKey;
    return readKey(this.#pages[source as 0 | 1], 0, this.#indexes[i] as number, this.#longKeys);
  }

  /** Inner runs: the child of entry `i`. */
  child(i: number): number {
    const source = this.#sources[i] as number;
    if (source === FRESH) return this.#payload.view.getUint32(0, true);
    return childAt(this.#pages[source as 0 | 1], 0, this.#indexes[i] as number);
  }

  /** Drops what entry `i` holds outside of its page; for an entry that is written to no page. */
  release(i: number): void {
    const source = this.#sources[i] as number;
    if (source !== FRESH) releaseLongKey(this.#pages[source as 0 | 1], 0, this.#indexes[i] as number, this.#longKeys);
  }

  /** Writes entries [from, to) as one page. Each entry is written exactly once, else released. */
  write(from: number, to: number, target: PageTarget): void {
    const { chunk, base, prefix } = target;
    formatPage(chunk, base, this.#pageBytes, this.#level, target.prefixKey, prefix);
    setChildAt(chunk, base, -1, target.leftmost);
    for (let i = from; i < to; i += 1) {
      const source = this.#sources[i] as number;
      if (source === FRESH) this.#append(chunk, base, this.#freshKey, this.#freshKey.length, this.#payload);
      else if (prefixBytes(this.#pages[source as 0 | 1], 0) === prefix) {
        appendSameEntry(chunk, base, this.#pages[source as 0 | 1], 0, this.#indexes[i] as number);
      } else this.#appendRecoded(chunk, base, this.#pages[source as 0 | 1], this.#indexes[i] as number);
    }
    endAscendingRun(chunk, base);
  }

  #append(chunk: Chunk, base: number, key: Uint8Array, keyBytes: number, payload: Chunk): void {
    const index = entryCount(chunk, base);
    insertEntry(chunk, base, this.#pageBytes, index, key, keyBytes, payload, this.#longKeys);
  }

  #appendRecoded(chunk: Chunk, base: number, page: Chunk, index: number): void {
    let key = this.#keyScratch;
    let keyBytes = keyBytesAt(page, 0, index, this.#longKeys);
    if (keyBytes > key.length) key = readKey(page, 0, index, this.#longKeys);
    else keyBytes = readKeyInto(page, 0, index, this.#longKeys, key);
    releaseLongKey(page, 0, index, this.#longKeys);
    const at = payloadAt(page, 0, index);
    const payload = this.#recodedPayload;
    const payloadBytes = pageLevel(page, 0) === 0 ? POSITION_BYTES : 4;
    for (let i = 0; i < payloadBytes; i += 4) payload.view.setUint32(i, page.view.getUint32(at + i, true), true);
    this.#append(chunk, base, key, keyBytes, payload);
  }
}
