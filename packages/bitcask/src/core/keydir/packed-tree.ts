/**
 * Builds a tree from keys that come in rising order, page after page, without ever searching it: for keydirs loaded from
 * hint files, and for the image of a keydir that is written to a file.
 *
 * Each level holds one page that is not written yet. A leaf is closed when one more key would fill it beyond its
 * measure: only then the key behind it is known, and with it the separator and the prefix that all its keys share. Inner
 * pages are measured as if they had no prefix, so that they fit in any case. What is open at the end is closed from the
 * leaves up; the last page made is the root. (Bulk loading: Graefe, "Modern B-Tree Techniques", 2011.)
 *
 * Leaves are not filled to the brim: keys that come later would split all of them at once, and the tree would double
 * within a few inserts. Their measures are spread over a range instead, so that splits come one after the other.
 */
import { invariant } from '@shanghai/env';
import type { KeydirPosition } from '../keydir.js';
import { type Chunk, createChunk } from './page-pool.js';
import { POSITION_BYTES, type PositionSink, writePosition } from './position-codec.js';
import {
  DIRECTORY_ENTRY_BYTES,
  endAscendingRun,
  entryBytesFor,
  formatPage,
  HEADER_BYTES,
  insertEntry,
  type LongKeySink,
  MAX_PREFIX_BYTES,
  setChildAt,
} from './slotted-page.js';

/** Where finished pages go. */
export interface PageSink {
  readonly pageBytes: number;
  /** Takes the next page into use and returns its number; numbers rise from 0 by one. */
  take(): number;
  /** The memory of the page taken last. */
  readonly chunk: Chunk;
  readonly base: number;
  readonly longKeys: LongKeySink;
  readonly wide: PositionSink;
}

const NO_KEY = new Uint8Array(0);
/** Leaves are filled to between 72 and 98 of 100 parts, 85 in the mean. */
const LEAST_FILL = 0.72;
const FILL_RANGE = 0.26;
/** Steps of this part of the range visit it evenly (the golden ratio). */
const FILL_STEP = 0.618_033_988_75;
/** Inner pages: one more entry must always fit. */
const INNER_FILL = 0.85;

/** A key of the open leaf. The objects are reused from page to page. */
interface Slot {
  bytes: Uint8Array;
  keyBytes: number;
  readonly payload: Chunk;
}

/** The open inner page of one level. */
interface Level {
  lower: Uint8Array | undefined;
  leftmost: number;
  readonly separators: Uint8Array[];
  readonly children: number[];
  bytes: number;
}

/** Keys in, pages out. Use `add` any number of times, then `finish` once. */
export class PackedTree {
  /** Keys added. */
  size = 0;
  readonly #sink: PageSink;
  readonly #slots: Slot[] = [];
  readonly #levels: Level[] = [];
  readonly #payload = createChunk(POSITION_BYTES);
  /** Entries of the open leaf; the last one is in a slot but not yet known to fit. */
  #count = 0;
  /** The separator before the open leaf. */
  #lower: Uint8Array | undefined;
  /** What the entries of the open leaf, the last one not among them, take under `#prefix`. */
  #bytes = 0;
  #prefix = 0;
  #limit: number;
  #leaves = 0;

  constructor(sink: PageSink) {
    this.#sink = sink;
    this.#limit = this.#nextLimit();
    const most = Math.ceil(sink.pageBytes / (DIRECTORY_ENTRY_BYTES + POSITION_BYTES + 1)) + 2;
    for (let i = 0; i < most; i += 1) {
      this.#slots.push({ bytes: new Uint8Array(64), keyBytes: 0, payload: createChunk(POSITION_BYTES) });
    }
  }

  /** Adds the first `keyBytes` bytes of `key`, copied. Every key must be above the one before. */
  add(key: Uint8Array, keyBytes: number, position: KeydirPosition): void {
    if (this.#count > 0) {
      this.#checkOrder(key, keyBytes);
      if (!this.#settle(key, keyBytes)) {
        this.#closeLeaf(this.#count - 1);
        this.#settle(key, keyBytes);
      }
    }
    const slot = this.#slots[this.#count] as Slot;
    if (slot.bytes.length < keyBytes) slot.bytes = new Uint8Array(keyBytes * 2);
    const { bytes } = slot;
    for (let i = 0; i < keyBytes; i += 1) bytes[i] = key[i] as number;
    slot.keyBytes = keyBytes;
    writePosition(slot.payload.view, 0, position, this.#sink.wide);
    this.#count += 1;
    this.size += 1;
  }

  /** Closes what is open and returns the number of the root. */
  finish(): number {
    this.#closeLast();
    let root = 0;
    for (let at = 0; at < this.#levels.length; at += 1) {
      const level = this.#levels[at] as Level;
      if (level.separators.length === 0) root = level.leftmost;
      else this.#addChild(at + 1, level.lower, this.#writeInner(at, level.separators.length, undefined));
    }
    return root;
  }

  #checkOrder(key: Uint8Array, keyBytes: number): void {
    const last = this.#slots[this.#count - 1] as Slot;
    const at = matching(last.bytes, last.keyBytes, key, keyBytes);
    const rises =
      at === last.keyBytes ? keyBytes > at : at < keyBytes && (last.bytes[at] as number) < (key[at] as number);
    invariant(rises, 'keys of a packed tree must rise');
  }

  /**
   * The last entry of the open leaf, seen from the key behind it: counts it in and returns true where it still belongs
   * to the leaf. Between them `key` settles the prefix, because all keys that lie between two fences share what these share.
   */
  #settle(key: Uint8Array, keyBytes: number): boolean {
    const prefix = this.#prefixBefore(key, keyBytes);
    const { pageBytes } = this.#sink;
    const last = this.#slots[this.#count - 1] as Slot;
    let bytes = this.#bytes;
    if (prefix !== this.#prefix) bytes = this.#bytesUnder(prefix, 0, this.#count - 1);
    bytes += entryBytesFor(pageBytes, 0, prefix, last.keyBytes);
    if (HEADER_BYTES + prefix + bytes > this.#limit && this.#count > 1) return false;
    this.#prefix = prefix;
    this.#bytes = bytes;
    return true;
  }

  /** The prefix of the open leaf if it ended before `key`. */
  #prefixBefore(key: Uint8Array, keyBytes: number): number {
    if (this.#lower === undefined) return 0;
    return Math.min(matching(this.#lower, this.#lower.length, key, keyBytes), MAX_PREFIX_BYTES);
  }

  #bytesUnder(prefix: number, from: number, to: number): number {
    let bytes = 0;
    for (let i = from; i < to; i += 1) {
      bytes += entryBytesFor(this.#sink.pageBytes, 0, prefix, (this.#slots[i] as Slot).keyBytes);
    }
    return bytes;
  }

  /** Writes the first `count` entries of the open leaf as a page; the others, at least one, begin the next. */
  #closeLeaf(count: number): void {
    const left = this.#slots[count - 1] as Slot;
    const right = this.#slots[count] as Slot;
    const separator = right.bytes.slice(0, matching(left.bytes, left.keyBytes, right.bytes, right.keyBytes) + 1);
    const prefix = this.#prefixBefore(separator, separator.length);
    const fits = HEADER_BYTES + prefix + this.#bytesUnder(prefix, 0, count) <= this.#sink.pageBytes;
    // The prefix of all that was counted in is shorter or equal, and under it they fit.
    this.#writeLeaf(count, fits ? prefix : this.#prefix);
    const rest = this.#count - count;
    for (let i = 0; i < rest; i += 1) {
      const slot = this.#slots[i] as Slot;
      this.#slots[i] = this.#slots[count + i] as Slot;
      this.#slots[count + i] = slot;
    }
    this.#count = rest;
    this.#lower = separator;
    this.#limit = this.#nextLimit();
    this.#prefix = -1;
    this.#bytes = 0;
  }

  /** The last leaf has no fence above it and so no prefix: where it does not fit without, its first part is closed before. */
  #closeLast(): void {
    const { pageBytes } = this.#sink;
    const room = pageBytes - HEADER_BYTES;
    let from = this.#count;
    for (let bytes = 0; from > 0; from -= 1) {
      bytes += entryBytesFor(pageBytes, 0, 0, (this.#slots[from - 1] as Slot).keyBytes);
      if (bytes > room) break;
    }
    if (from > 0) this.#closeLeaf(from);
    this.#writeLeaf(this.#count, 0);
  }

  #writeLeaf(count: number, prefix: number): void {
    const { pageBytes, longKeys } = this.#sink;
    const page = this.#sink.take();
    const { chunk, base } = this.#sink;
    formatPage(chunk, base, pageBytes, 0, this.#lower ?? NO_KEY, prefix);
    for (let i = 0; i < count; i += 1) {
      const slot = this.#slots[i] as Slot;
      insertEntry(chunk, base, pageBytes, i, slot.bytes, slot.keyBytes, slot.payload, longKeys);
    }
    // The last leaf keeps its run: keys may go on rising.
    if (count < this.#count) endAscendingRun(chunk, base);
    this.#addChild(0, this.#lower, page);
  }

  /** Enters a page into the inner page above it. `lower` is the separator before the page. */
  #addChild(at: number, lower: Uint8Array | undefined, page: number): void {
    const level = this.#levels[at];
    if (level === undefined) {
      this.#levels.push({ lower, leftmost: page, separators: [], children: [], bytes: HEADER_BYTES });
      return;
    }
    const { pageBytes } = this.#sink;
    const separator = lower ?? NO_KEY;
    level.separators.push(separator);
    level.children.push(page);
    level.bytes += entryBytesFor(pageBytes, 1, 0, separator.length);
    const count = level.separators.length;
    if (level.bytes <= pageBytes * INNER_FILL || count < 3) return;
    // The last but one moves up; the last one stays, so that the next page is never empty.
    const up = level.separators[count - 2] as Uint8Array;
    const written = this.#writeInner(at, count - 2, up);
    const writtenLower = level.lower;
    level.lower = up;
    level.leftmost = level.children[count - 2] as number;
    level.separators.splice(0, count - 1);
    level.children.splice(0, count - 1);
    level.bytes = HEADER_BYTES + entryBytesFor(pageBytes, 1, 0, separator.length);
    this.#addChild(at + 1, writtenLower, written);
  }

  /** Writes the first `count` entries of the open page of level `at + 1`. */
  #writeInner(at: number, count: number, upper: Uint8Array | undefined): number {
    const level = this.#levels[at] as Level;
    const { pageBytes, longKeys } = this.#sink;
    const prefix = innerPrefix(pageBytes, level, count, upper);
    const page = this.#sink.take();
    const { chunk, base } = this.#sink;
    formatPage(chunk, base, pageBytes, at + 1, level.lower ?? NO_KEY, prefix);
    setChildAt(chunk, base, -1, level.leftmost);
    for (let i = 0; i < count; i += 1) {
      const separator = level.separators[i] as Uint8Array;
      this.#payload.view.setUint32(0, level.children[i] as number, true);
      insertEntry(chunk, base, pageBytes, i, separator, separator.length, this.#payload, longKeys);
    }
    endAscendingRun(chunk, base);
    return page;
  }

  #nextLimit(): number {
    const part = LEAST_FILL + FILL_RANGE * ((this.#leaves * FILL_STEP) % 1);
    this.#leaves += 1;
    return this.#sink.pageBytes * part;
  }
}

/** What the fences of an inner page have in common, where the page fits with it. */
function innerPrefix(pageBytes: number, level: Level, count: number, upper: Uint8Array | undefined): number {
  const { lower } = level;
  if (lower === undefined || upper === undefined) return 0;
  const prefix = Math.min(matching(lower, lower.length, upper, upper.length), MAX_PREFIX_BYTES);
  let bytes = HEADER_BYTES + prefix;
  for (let i = 0; i < count; i += 1) {
    bytes += entryBytesFor(pageBytes, 1, prefix, (level.separators[i] as Uint8Array).length);
  }
  return bytes <= pageBytes ? prefix : 0;
}

/** Bytes that the beginnings of two arrays have in common. */
function matching(a: Uint8Array, aBytes: number, b: Uint8Array, bBytes: number): number {
  const most = Math.min(aBytes, bBytes);
  let count = 0;
  while (count < most && a[count] === b[count]) count += 1;
  return count;
}
