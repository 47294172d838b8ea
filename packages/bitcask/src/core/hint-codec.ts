import { crc32 } from '@shanghai/env';
import { fileHeaderBytes, openFileHeader, sealFileHeader } from './file-header.js';
import { type Decoded, writePreamble } from './preamble.js';
import { crcSeed } from './record.js';
import { getUint64, setUint64 } from './uint64.js';

/**
 * Hint files: the newest record per key of one sealed segment, in key order; docs/formats/bitcask.md, section 4.
 *
 * ```
 * header:
 *  0          16           24        28        32           40             48             56      60
 *  +----------+------------+---------+---------+------------+--------------+--------------+-------+------+
 *  | preamble | segment id | file id | entries | data bytes | min sequence | max sequence | zero  | crc  |
 *  |          | u64        | u32     | u32     | u64        | u64          | u64          | u32   | u32  |
 *  +----------+------------+---------+---------+------------+--------------+--------------+-------+------+
 * block: | payload bytes u32 | entries u32 | crc u32 | payload |
 * entry: | offset u32 | record bytes u32 | sequence low u32 | flags u8, sequence high u24 | key bytes u32 | key |
 * ```
 *
 * Blocks have checksums of their own so that a reader may use one before it has read the next: opening a large store
 * then never holds the thread for longer than a block takes.
 */

/** Bytes before the first block. */
export const hintHeaderBytes = fileHeaderBytes;
/** Bytes of a block before its payload. */
export const hintBlockHeadBytes = 12;
/** Bytes of an entry before its key. */
export const hintEntryBytes = 20;
/** A block is closed when its payload reaches this. */
export const hintBlockPayloadBytes = 65_536;

const flagTombstone = 1;
const flagExpires = 2;
const high = 4_294_967_296;

/** What a hint says of itself and of its segment. */
export interface HintHeader {
  readonly segmentId: number;
  readonly fileId: number;
  readonly entries: number;
  readonly dataBytes: number;
  readonly minSequence: number;
  readonly maxSequence: number;
}

/** One key of a hint. Filled by `readHintEntry`; the object is the caller's and reused. `keyStart` is a position in the payload. */
export interface HintEntry {
  offset: number;
  recordBytes: number;
  sequence: number;
  tombstone: boolean;
  expires: boolean;
  keyStart: number;
  keyBytes: number;
}

/** An empty entry to be filled. */
export function createHintEntry(): HintEntry {
  return { offset: 0, recordBytes: 0, sequence: 0, tombstone: false, expires: false, keyStart: 0, keyBytes: 0 };
}

/** The header as it lies in the file. */
export function encodeHintHeader(header: HintHeader): Uint8Array {
  const bytes = new Uint8Array(hintHeaderBytes);
  const view = new DataView(bytes.buffer);
  writePreamble(view, 'hint');
  setUint64(view, 16, header.segmentId);
  view.setUint32(24, header.fileId, true);
  view.setUint32(28, header.entries, true);
  setUint64(view, 32, header.dataBytes);
  setUint64(view, 40, header.minSequence);
  setUint64(view, 48, header.maxSequence);
  sealFileHeader(bytes, view);
  return bytes;
}

/** Reads a header; says why where it is none. */
export function decodeHintHeader(bytes: Uint8Array): Decoded<HintHeader> {
  const opened = openFileHeader(bytes, 'hint');
  if (opened.kind !== 'ok') return opened;
  const view = opened.value;
  return {
    kind: 'ok',
    value: {
      segmentId: getUint64(view, 16),
      fileId: view.getUint32(24, true),
      entries: view.getUint32(28, true),
      dataBytes: getUint64(view, 32),
      minSequence: getUint64(view, 40),
      maxSequence: getUint64(view, 48),
    },
  };
}

/** Gathers entries into one block. `key` is copied. */
export class HintBlockBuilder {
  #bytes = new Uint8Array(hintBlockHeadBytes + hintBlockPayloadBytes);
  #view = new DataView(this.#bytes.buffer);
  #end = hintBlockHeadBytes;
  #entries = 0;

  get entries(): number {
    return this.#entries;
  }

  /** Whether an entry with a key of this length still fits; an empty block takes any. */
  hasRoom(keyBytes: number): boolean {
    return this.#entries === 0 || this.#end + hintEntryBytes + keyBytes <= hintBlockHeadBytes + hintBlockPayloadBytes;
  }

  add(key: Uint8Array, entry: HintEntry): void {
    const needed = this.#end + hintEntryBytes + key.length;
    if (needed > this.#bytes.length) this.#grow(needed);
    const view = this.#view;
    const at = this.#end;
    view.setUint32(at, entry.offset, true);
    view.setUint32(at + 4, entry.recordBytes, true);
    view.setUint32(at + 8, entry.sequence >>> 0, true);
    const flags = (entry.tombstone ? flagTombstone : 0) | (entry.expires ? flagExpires : 0);
    view.setUint32(at + 12, (flags | (Math.floor(entry.sequence / high) << 8)) >>> 0, true);
    view.setUint32(at + 16, key.length, true);
    this.#bytes.set(key, at + hintEntryBytes);
    this.#end = needed;
    this.#entries++;
  }

  /** The finished block for this place in the file, in a buffer of its own; the builder is empty afterwards. */
  take(segmentSeed: number, blockOffset: number): Uint8Array {
    const view = this.#view;
    const payloadBytes = this.#end - hintBlockHeadBytes;
    view.setUint32(0, payloadBytes, true);
    view.setUint32(4, this.#entries, true);
    view.setUint32(8, blockCrc(this.#bytes, 0, this.#end, crcSeed(segmentSeed, blockOffset)), true);
    const block = this.#bytes.slice(0, this.#end);
    this.#end = hintBlockHeadBytes;
    this.#entries = 0;
    return block;
  }

  #grow(bytes: number): void {
    const grown = new Uint8Array(bytes);
    grown.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

function blockCrc(bytes: Uint8Array, start: number, end: number, seed: number): number {
  return crc32(bytes, crc32(bytes, seed, start, start + 8), start + hintBlockHeadBytes, end);
}

/** Whether the block in `[start, end)`, head included, is whole. */
export function hintBlockHolds(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  segmentSeed: number,
  blockOffset: number,
): boolean {
  return blockCrc(bytes, start, end, crcSeed(segmentSeed, blockOffset)) === view.getUint32(start + 8, true);
}

/** Reads the entry at `at` of a payload that ends at `end`; returns the position behind it, or −1 where it does not fit. */
export function readHintEntry(view: DataView, at: number, end: number, out: HintEntry): number {
  if (at + hintEntryBytes > end) return -1;
  const keyBytes = view.getUint32(at + 16, true);
  const behind = at + hintEntryBytes + keyBytes;
  if (behind > end || keyBytes === 0) return -1;
  const word = view.getUint32(at + 12, true);
  out.offset = view.getUint32(at, true);
  out.recordBytes = view.getUint32(at + 4, true);
  out.sequence = (word >>> 8) * high + view.getUint32(at + 8, true);
  out.tombstone = (word & flagTombstone) !== 0;
  out.expires = (word & flagExpires) !== 0;
  out.keyStart = at + hintEntryBytes;
  out.keyBytes = keyBytes;
  return behind;
}
