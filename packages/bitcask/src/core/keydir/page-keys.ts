/** The keys of a slotted page: finding, comparing, reading them. */
import type { Chunk } from './page-pool.js';
import {
  DIRECTORY_ENTRY_BYTES,
  directoryEntryAt,
  HEAD_BIAS,
  HEAD_BYTES,
  HEADER_BYTES,
  headOf,
  LONG_KEY,
  type LongKeys,
  payloadAt,
  payloadBytes,
  prefixBytes,
  TWO_BYTE_LENGTH,
} from './slotted-page.js';

/** Index of the entry whose key is `key`, else -1 - the index it would get. `key` must belong to the page's range. */
export function searchPage(chunk: Chunk, base: number, key: Uint8Array, longKeys: LongKeys): number {
  const view = chunk.view;
  const prefix = view.getUint8(base + 7);
  const directory = base + HEADER_BYTES + prefix;
  const head = headOf(key, key.length, prefix);
  let low = 0;
  let high = view.getUint16(base, true);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = directory + middle * DIRECTORY_ENTRY_BYTES;
    const other = view.getInt32(at, true);
    if (other < head) low = middle + 1;
    else if (other > head) high = middle;
    else {
      const order = compareRest(chunk, base, base + view.getUint16(at + HEAD_BYTES, true), key, prefix, longKeys);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
  }
  return -1 - low;
}

/** Order of the key of entry `index` to `key`, which must belong to the page's range. */
export function compareEntry(chunk: Chunk, base: number, index: number, key: Uint8Array, longKeys: LongKeys): number {
  const prefix = prefixBytes(chunk, base);
  const head = headOf(key, key.length, prefix);
  const at = directoryEntryAt(chunk, base, index);
  const other = chunk.view.getInt32(at, true);
  if (other !== head) return other < head ? -1 : 1;
  return compareRest(chunk, base, base + chunk.view.getUint16(at + HEAD_BYTES, true), key, prefix, longKeys);
}

/** Order of a record's key to `key`, given that their heads are equal. */
function compareRest(
  chunk: Chunk,
  base: number,
  record: number,
  key: Uint8Array,
  prefix: number,
  longKeys: LongKeys,
): number {
  const { bytes, view } = chunk;
  let at = record + payloadBytes(chunk, base);
  let suffixBytes = view.getUint8(at);
  at += 1;
  if (suffixBytes >= TWO_BYTE_LENGTH) {
    if (suffixBytes === LONG_KEY) return Buffer.compare(longKeys.get(view.getUint32(at, true)), key);
    suffixBytes = view.getUint16(at, true);
    at += 2;
  }
  const from = prefix + HEAD_BYTES;
  const rest = Math.min(prefix + suffixBytes, key.length) - from;
  for (let i = 0; i < rest; i += 1) {
    const difference = (bytes[at + i] as number) - (key[from + i] as number);
    if (difference !== 0) return difference;
  }
  return prefix + suffixBytes - key.length;
}

/** Bytes of the key of entry `index`, the page's prefix included. */
export function keyBytesAt(chunk: Chunk, base: number, index: number, longKeys: LongKeys): number {
  const at = payloadAt(chunk, base, index) + payloadBytes(chunk, base);
  const suffixBytes = chunk.view.getUint8(at);
  if (suffixBytes === LONG_KEY) return longKeys.get(chunk.view.getUint32(at + 1, true)).length;
  const prefix = prefixBytes(chunk, base);
  return prefix + (suffixBytes < TWO_BYTE_LENGTH ? suffixBytes : chunk.view.getUint16(at + 1, true));
}

/** Copies the key of entry `index` to the beginning of `out`, which must be long enough, and returns its length. */
export function readKeyInto(chunk: Chunk, base: number, index: number, longKeys: LongKeys, out: Uint8Array): number {
  const { bytes, view } = chunk;
  const entry = directoryEntryAt(chunk, base, index);
  let at = base + view.getUint16(entry + HEAD_BYTES, true) + payloadBytes(chunk, base);
  let suffixBytes = view.getUint8(at);
  at += 1;
  if (suffixBytes >= TWO_BYTE_LENGTH) {
    if (suffixBytes === LONG_KEY) {
      const key = longKeys.get(view.getUint32(at, true));
      out.set(key);
      return key.length;
    }
    suffixBytes = view.getUint16(at, true);
    at += 2;
  }
  const prefix = prefixBytes(chunk, base);
  const head = view.getInt32(entry, true) ^ HEAD_BIAS;
  for (let i = 0; i < prefix; i += 1) out[i] = bytes[base + HEADER_BYTES + i] as number;
  for (let i = 0; i < suffixBytes && i < HEAD_BYTES; i += 1) out[prefix + i] = head >>> (24 - 8 * i);
  for (let i = HEAD_BYTES; i < suffixBytes; i += 1) out[prefix + i] = bytes[at + i - HEAD_BYTES] as number;
  return prefix + suffixBytes;
}

/** The key of entry `index`, a copy. */
export function readKey(chunk: Chunk, base: number, index: number, longKeys: LongKeys): Uint8Array {
  const key = new Uint8Array(keyBytesAt(chunk, base, index, longKeys));
  readKeyInto(chunk, base, index, longKeys, key);
  return key;
}
