/**
 * A page of the tree: entries in key order behind a small directory, records growing towards it from the end.
 *
 *     header 16 | prefix | directory, 6 bytes an entry --> ... free ... <-- records |
 *
 * header: u16 count, u16 start of the records, u16 dead bytes among the records, u8 level (0 = leaf), u8 prefix bytes,
 *         u32 leftmost child (inner pages), u16 index and u16 length of the last run of ascending inserts.
 * directory entry: u32 head, u16 where its record begins.
 * record: payload (a leaf's position, 16 bytes; an inner page's child, 4), key length, rest of the key.
 *
 * All keys that may ever come into a page share the page's prefix (it follows from the separators around the page, so
 * an insert never changes it). What remains of a key is its *suffix*; the first four bytes of it, padded with zeros, are
 * the *head*, read as a big-endian number and moved down by 2^31, because
 * the engine compares signed words fastest. A search reads the directory alone unless heads are equal, so it costs few
 * cache lines, and head and prefix bytes are not stored again in the record. (Prefix truncation and heads: Graefe,
 * "Modern B-Tree Techniques", 2011; Leis et al., LeanStore.)
 *
 * Key length is that of the suffix: one byte to 253, 254 = two bytes follow, 255 = a *long* key, four bytes follow with
 * its id in a side table that holds the whole key. Words are little-endian.
 */
import { invariant } from '@shanghai/env';
import type { Chunk } from './page-pool.js';
import { POSITION_BYTES } from './position-codec.js';
import type { SideTable } from './side-table.js';

/** Whole keys that are too long for pages, by id. */
export type LongKeys = SideTable<Uint8Array>;

/** Where a long key goes: keeps it and returns its id. */
export type LongKeySink = Pick<LongKeys, 'add'>;

/** Bytes before a page's prefix. */
export const HEADER_BYTES = 16;
/** Head and record offset of one entry. */
export const DIRECTORY_ENTRY_BYTES = 6;
/** Longest prefix a page keeps; a longer common one is cut to this. */
export const MAX_PREFIX_BYTES = 255;
/** Least bytes an entry takes. */
export const MIN_ENTRY_BYTES = 6 + 4 + 1;

/** Bytes of a suffix that lie in the directory. */
export const HEAD_BYTES = 4;
/** Added to a head, so that the order of signed words is that of the bytes. */
export const HEAD_BIAS = 0x80000000 | 0;
const CHILD_BYTES = 4;
/** Key length byte: two bytes of length follow. */
export const TWO_BYTE_LENGTH = 254;
/** Key length byte: the id of a long key follows. */
export const LONG_KEY = 255;

/** Keys longer than this are long keys; every page has room for seven entries at least. */
export function longKeyThreshold(pageBytes: number): number {
  return pageBytes >>> 3;
}

/** Entries of the page. */
export function entryCount(chunk: Chunk, base: number): number {
  return chunk.view.getUint16(base, true);
}

/** Height above the leaves, which have 0. */
export function pageLevel(chunk: Chunk, base: number): number {
  return chunk.view.getUint8(base + 6);
}

/** Bytes of the page's prefix, in [0, MAX_PREFIX_BYTES]. */
export function prefixBytes(chunk: Chunk, base: number): number {
  return chunk.view.getUint8(base + 7);
}

/** The page's prefix, a copy. */
export function prefixOf(chunk: Chunk, base: number): Uint8Array {
  const from = base + HEADER_BYTES;
  return chunk.bytes.slice(from, from + prefixBytes(chunk, base));
}

/** Bytes of a payload in this page. */
export function payloadBytes(chunk: Chunk, base: number): number {
  return pageLevel(chunk, base) === 0 ? POSITION_BYTES : CHILD_BYTES;
}

function recordsStart(chunk: Chunk, base: number): number {
  return chunk.view.getUint16(base + 2, true);
}

function deadBytes(chunk: Chunk, base: number): number {
  return chunk.view.getUint16(base + 4, true);
}

function directoryAt(chunk: Chunk, base: number): number {
  return base + HEADER_BYTES + prefixBytes(chunk, base);
}

/** Where directory entry `index` begins in the chunk. */
export function directoryEntryAt(chunk: Chunk, base: number, index: number): number {
  return directoryAt(chunk, base) + index * DIRECTORY_ENTRY_BYTES;
}

/** Where the payload of entry `index` begins in the chunk. Moves when the page changes. */
export function payloadAt(chunk: Chunk, base: number, index: number): number {
  return base + chunk.view.getUint16(directoryEntryAt(chunk, base, index) + HEAD_BYTES, true);
}

/** The child left of entry `index + 1`: that of entry `index`, or the leftmost for -1. */
export function childAt(chunk: Chunk, base: number, index: number): number {
  return chunk.view.getUint32(index < 0 ? base + 8 : payloadAt(chunk, base, index), true);
}

/** Sets what `childAt` reads. */
export function setChildAt(chunk: Chunk, base: number, index: number, child: number): void {
  chunk.view.setUint32(index < 0 ? base + 8 : payloadAt(chunk, base, index), child, true);
}

/** Length of the run of ascending inserts that an insert at `index` would continue; 0 where it continues none. */
export function ascendingRun(chunk: Chunk, base: number, index: number): number {
  return chunk.view.getUint16(base + 12, true) + 1 === index ? chunk.view.getUint16(base + 14, true) : 0;
}

/** Forgets the run of ascending inserts. */
export function endAscendingRun(chunk: Chunk, base: number): void {
  chunk.view.setUint32(base + 12, 0, true);
}

/** Bytes of header, prefix, directory and live records. */
export function usedBytes(chunk: Chunk, base: number, pageBytes: number): number {
  const directoryEnd = directoryEntryAt(chunk, base, entryCount(chunk, base)) - base;
  return directoryEnd + pageBytes - recordsStart(chunk, base) - deadBytes(chunk, base);
}

/** Makes an empty page whose prefix is the first `prefixLength` bytes of `key`. */
export function formatPage(
  chunk: Chunk,
  base: number,
  pageBytes: number,
  level: number,
  key: Uint8Array,
  prefixLength: number,
): void {
  const { bytes, view } = chunk;
  view.setUint16(base, 0, true);
  view.setUint16(base + 2, pageBytes, true);
  view.setUint16(base + 4, 0, true);
  view.setUint8(base + 6, level);
  view.setUint8(base + 7, prefixLength);
  view.setUint32(base + 8, 0, true);
  view.setUint32(base + 12, 0, true);
  for (let i = 0; i < prefixLength; i += 1) bytes[base + HEADER_BYTES + i] = key[i] as number;
}

/** The head of `key` (its first `keyBytes` bytes) behind a prefix of `from` bytes. */
export function headOf(key: Uint8Array, keyBytes: number, from: number): number {
  let head = 0;
  if (from + HEAD_BYTES <= keyBytes) {
    head = (key[from] as number) << 24;
    head |= (key[from + 1] as number) << 16;
    head |= (key[from + 2] as number) << 8;
    head |= key[from + 3] as number;
  } else {
    for (let i = from; i < from + HEAD_BYTES; i += 1) head = (head << 8) | (i < keyBytes ? (key[i] as number) : 0);
  }
  return head ^ HEAD_BIAS;
}

/** Bytes of the record of entry `index`. */
export function recordBytesAt(chunk: Chunk, base: number, index: number): number {
  const payload = payloadBytes(chunk, base);
  const at = payloadAt(chunk, base, index) + payload;
  const suffixBytes = chunk.view.getUint8(at);
  if (suffixBytes === LONG_KEY) return payload + 5;
  if (suffixBytes < TWO_BYTE_LENGTH) return payload + 1 + Math.max(0, suffixBytes - HEAD_BYTES);
  return payload + 3 + chunk.view.getUint16(at + 1, true) - HEAD_BYTES;
}

/** Bytes an entry for a key of `keyBytes` takes in a page of this level and prefix, directory included. */
export function entryBytesFor(pageBytes: number, level: number, prefix: number, keyBytes: number): number {
  const fixed = DIRECTORY_ENTRY_BYTES + (level === 0 ? POSITION_BYTES : CHILD_BYTES);
  if (keyBytes > longKeyThreshold(pageBytes)) return fixed + 5;
  const suffixBytes = keyBytes - prefix;
  return fixed + (suffixBytes < TWO_BYTE_LENGTH ? 1 : 3) + Math.max(0, suffixBytes - HEAD_BYTES);
}

/** Bytes between directory and records. */
export function contiguousBytes(chunk: Chunk, base: number): number {
  return base + recordsStart(chunk, base) - directoryEntryAt(chunk, base, entryCount(chunk, base));
}

/** Makes room for a record and its directory entry; the caller has seen to it that there is enough. */
function openEntry(chunk: Chunk, base: number, index: number, recordBytes: number, head: number): number {
  const { bytes, view } = chunk;
  const count = entryCount(chunk, base);
  const record = recordsStart(chunk, base) - recordBytes;
  const entry = directoryEntryAt(chunk, base, index);
  const directoryEnd = directoryEntryAt(chunk, base, count);
  invariant(base + record >= directoryEnd + DIRECTORY_ENTRY_BYTES, 'page has no room for the entry');
  if (index < count) bytes.copyWithin(entry + DIRECTORY_ENTRY_BYTES, entry, directoryEnd);
  view.setInt32(entry, head, true);
  view.setUint16(entry + HEAD_BYTES, record, true);
  view.setUint16(base, count + 1, true);
  view.setUint16(base + 2, record, true);
  return base + record;
}

/** Inserts `key` (its first `keyBytes` bytes) at `index` with the payload that lies in `payload`. Room must be there. */
export function insertEntry(
  chunk: Chunk,
  base: number,
  pageBytes: number,
  index: number,
  key: Uint8Array,
  keyBytes: number,
  payload: Chunk,
  longKeys: LongKeySink,
): void {
  const { bytes, view } = chunk;
  const prefix = prefixBytes(chunk, base);
  const recordBytes = entryBytesFor(pageBytes, pageLevel(chunk, base), prefix, keyBytes) - DIRECTORY_ENTRY_BYTES;
  const run = ascendingRun(chunk, base, index) + 1;
  let at = openEntry(chunk, base, index, recordBytes, headOf(key, keyBytes, prefix));
  view.setUint16(base + 12, index, true);
  view.setUint16(base + 14, run, true);
  const payloadSize = payloadBytes(chunk, base);
  for (let i = 0; i < payloadSize; i += 4) view.setUint32(at + i, payload.view.getUint32(i, true), true);
  at += payloadSize;
  if (keyBytes > longKeyThreshold(pageBytes)) {
    view.setUint8(at, LONG_KEY);
    view.setUint32(at + 1, longKeys.add(new Uint8Array(key.subarray(0, keyBytes))), true);
    return;
  }
  const suffixBytes = keyBytes - prefix;
  if (suffixBytes < TWO_BYTE_LENGTH) {
    view.setUint8(at, suffixBytes);
    at += 1;
  } else {
    view.setUint8(at, TWO_BYTE_LENGTH);
    view.setUint16(at + 1, suffixBytes, true);
    at += 3;
  }
  for (let i = prefix + HEAD_BYTES; i < keyBytes; i += 1) {
    bytes[at] = key[i] as number;
    at += 1;
  }
}

/** Appends a copy of an entry of another page with the same prefix and level. A long key's id moves along. */
export function appendSameEntry(chunk: Chunk, base: number, from: Chunk, fromBase: number, index: number): void {
  const recordBytes = recordBytesAt(from, fromBase, index);
  const entry = directoryEntryAt(from, fromBase, index);
  const record = fromBase + from.view.getUint16(entry + HEAD_BYTES, true);
  const head = from.view.getInt32(entry, true);
  const at = openEntry(chunk, base, entryCount(chunk, base), recordBytes, head);
  for (let i = 0; i < recordBytes; i += 1) chunk.bytes[at + i] = from.bytes[record + i] as number;
}

/** Removes entry `index` and what it holds in the table of long keys. */
export function removeEntry(chunk: Chunk, base: number, index: number, longKeys: LongKeys): void {
  const { bytes, view } = chunk;
  const count = entryCount(chunk, base);
  const recordBytes = recordBytesAt(chunk, base, index);
  releaseLongKey(chunk, base, index, longKeys);
  const entry = directoryEntryAt(chunk, base, index);
  bytes.copyWithin(entry, entry + DIRECTORY_ENTRY_BYTES, directoryEntryAt(chunk, base, count));
  view.setUint16(base, count - 1, true);
  view.setUint16(base + 4, deadBytes(chunk, base) + recordBytes, true);
  endAscendingRun(chunk, base);
}

/** Gives back the long key of entry `index`, if it is one. The entry must not be read again. */
export function releaseLongKey(chunk: Chunk, base: number, index: number, longKeys: LongKeys): void {
  const at = payloadAt(chunk, base, index) + payloadBytes(chunk, base);
  if (chunk.view.getUint8(at) === LONG_KEY) longKeys.remove(chunk.view.getUint32(at + 1, true));
}

/** Whether the key of entry `index` lies in the table of long keys. */
export function isLongKey(chunk: Chunk, base: number, index: number): boolean {
  return chunk.view.getUint8(payloadAt(chunk, base, index) + payloadBytes(chunk, base)) === LONG_KEY;
}
