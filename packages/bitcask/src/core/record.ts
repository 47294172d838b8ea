import { crc32 } from '@shanghai/env';
import { getUint64, setUint64 } from './uint64.js';

/**
 * The record codec; docs/formats/bitcask.md, section 3.1.
 *
 * ```
 *  0      4       5           8              12         20
 *  +------+-------+-----------+--------------+----------+-----------+-----------+-----+-------+
 *  | crc  | flags | key bytes | stored bytes | sequence | [expires] | [raw size]| key | value |
 *  | u32  | u8    | u24       | u32          | u64      | [u64]     | [u32]     |     |       |
 *  +------+-------+-----------+--------------+----------+-----------+-----------+-----+-------+
 * ```
 *
 * A record is written in two steps: *laid out* when the caller hands it over (everything but sequence and CRC, so that
 * the caller's buffers are free at once), and *stamped* when its place in the order and in the file is known. The CRC
 * is seeded with segment and offset: bytes left from another file, or written to the wrong place, never validate.
 */

/** Bytes of a record before its optional fields. */
export const recordHeaderBytes = 20;
/** Bytes of a whole mark. */
export const markBytes = 28;

/** The bits of the flags byte; the codec takes the two bits of `codecMask`. */
export const recordFlags = {
  tombstone: 1,
  expires: 2,
  codecShift: 2,
  codecMask: 0b1100,
  member: 16,
  commit: 32,
  mark: 64,
} as const;

/** How a value is stored. The numbers are the format's. */
export const codecs = ['none', 'lz4', 'gzip'] as const;
/** Names of the codecs. */
export type Codec = (typeof codecs)[number];

/** The largest key the format can hold. */
export const keyLimitBytes = 1_048_576;

/** A record's fields, filled by `readRecord`; the object is the caller's and reused. `keyStart` and `valueStart` are positions in the buffer. */
export interface RecordFields {
  flags: number;
  keyBytes: number;
  storedBytes: number;
  sequence: number;
  expiresAtMs: number;
  /** Bytes of the value before compression; equal to `storedBytes` where it is not compressed. */
  rawBytes: number;
  keyStart: number;
  valueStart: number;
  recordBytes: number;
}

/** Empty fields to be filled. */
export function createRecordFields(): RecordFields {
  return {
    flags: 0,
    keyBytes: 0,
    storedBytes: 0,
    sequence: 0,
    expiresAtMs: 0,
    rawBytes: 0,
    keyStart: 0,
    valueStart: 0,
    recordBytes: 0,
  };
}

/** What `layRecord` writes. `codec` is an index into `codecs`; `rawBytes` counts only where it is not 0. */
export interface RecordContent {
  readonly flags: number;
  readonly key: Uint8Array;
  readonly stored: Uint8Array;
  readonly expiresAtMs: number;
  readonly codec: number;
  readonly rawBytes: number;
}

/** The mixing of a record's offset into the CRC seed: a bijection, so that two places never share a seed. */
export function crcSeed(segmentSeed: number, offset: number): number {
  return (segmentSeed ^ Math.imul(offset, 0x9e3779b1)) >>> 0;
}

/** The seed of a segment: the checksum of its id's eight bytes. */
export function segmentSeedOf(segmentId: number): number {
  const bytes = new Uint8Array(8);
  setUint64(new DataView(bytes.buffer), 0, segmentId);
  return crc32(bytes);
}

/** Bytes of a record with these parts. */
export function recordBytesOf(keyBytes: number, storedBytes: number, expires: boolean, compressed: boolean): number {
  return recordHeaderBytes + (expires ? 8 : 0) + (compressed ? 4 : 0) + keyBytes + storedBytes;
}

/** Writes everything but CRC and sequence at `start`; returns the position behind. */
export function layRecord(bytes: Uint8Array, view: DataView, start: number, content: RecordContent): number {
  const { key, stored, expiresAtMs, codec } = content;
  const flags = content.flags | (expiresAtMs > 0 ? recordFlags.expires : 0) | (codec << recordFlags.codecShift);
  view.setUint32(start + 4, (flags | (key.length << 8)) >>> 0, true);
  view.setUint32(start + 8, stored.length, true);
  let at = start + recordHeaderBytes;
  if (expiresAtMs > 0) {
    setUint64(view, at, expiresAtMs);
    at += 8;
  }
  if (codec !== 0) {
    view.setUint32(at, content.rawBytes, true);
    at += 4;
  }
  bytes.set(key, at);
  at += key.length;
  bytes.set(stored, at);
  return at + stored.length;
}

/** Gives a laid-out record its place in the order and in the file, and seals it with its CRC. */
export function stampRecord(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  sequence: number,
  seed: number,
): void {
  setUint64(view, start + 12, sequence);
  view.setUint32(start, crc32(bytes, seed, start + 4, end), true);
}

/** Writes a whole mark at `start`. */
export function writeMark(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  durableEnd: number,
  sequence: number,
  seed: number,
): void {
  view.setUint32(start + 4, recordFlags.mark, true);
  view.setUint32(start + 8, 8, true);
  setUint64(view, start + recordHeaderBytes, durableEnd);
  stampRecord(bytes, view, start, start + markBytes, sequence, seed);
}

/** The length of the record at `start` by its own (unchecked) header. At least `recordHeaderBytes` bytes are there. */
export function claimedBytes(view: DataView, start: number): number {
  const word = view.getUint32(start + 4, true);
  const flags = word & 0xff;
  return recordBytesOf(
    word >>> 8,
    view.getUint32(start + 8, true),
    (flags & recordFlags.expires) !== 0,
    (flags & recordFlags.codecMask) !== 0,
  );
}

/** Reads the fields of the record at `start`. Its length was checked against the buffer; its CRC need not have been. */
export function readRecord(view: DataView, start: number, out: RecordFields): void {
  const word = view.getUint32(start + 4, true);
  const flags = word & 0xff;
  out.flags = flags;
  out.keyBytes = word >>> 8;
  out.storedBytes = view.getUint32(start + 8, true);
  out.sequence = getUint64(view, start + 12);
  let at = start + recordHeaderBytes;
  out.expiresAtMs = 0;
  if ((flags & recordFlags.expires) !== 0) {
    out.expiresAtMs = getUint64(view, at);
    at += 8;
  }
  out.rawBytes = out.storedBytes;
  if ((flags & recordFlags.codecMask) !== 0) {
    out.rawBytes = view.getUint32(at, true);
    at += 4;
  }
  out.keyStart = at;
  out.valueStart = at + out.keyBytes;
  out.recordBytes = out.valueStart + out.storedBytes - start;
}

/** `readRecord` and `crcHolds` in one for a record that fills `bytes`, without a view: point reads make none. */
export function checkRecord(bytes: Uint8Array, seed: number, out: RecordFields): boolean {
  if (bytes.length < recordHeaderBytes || crc32(bytes, seed, 4) !== uint32At(bytes, 0)) return false;
  const flags = bytes[4] as number;
  out.flags = flags;
  out.keyBytes = uint32At(bytes, 4) >>> 8;
  out.storedBytes = uint32At(bytes, 8);
  out.sequence = uint64At(bytes, 12);
  let at = recordHeaderBytes;
  out.expiresAtMs = 0;
  if ((flags & recordFlags.expires) !== 0) {
    out.expiresAtMs = uint64At(bytes, at);
    at += 8;
  }
  out.rawBytes = out.storedBytes;
  if ((flags & recordFlags.codecMask) !== 0) {
    out.rawBytes = uint32At(bytes, at);
    at += 4;
  }
  out.keyStart = at;
  out.valueStart = at + out.keyBytes;
  out.recordBytes = out.valueStart + out.storedBytes;
  return true;
}

function uint32At(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

function uint64At(bytes: Uint8Array, at: number): number {
  return uint32At(bytes, at + 4) * 4_294_967_296 + uint32At(bytes, at);
}

/** Whether the CRC of the record in `[start, end)` holds. */
export function crcHolds(bytes: Uint8Array, view: DataView, start: number, end: number, seed: number): boolean {
  return crc32(bytes, seed, start + 4, end) === view.getUint32(start, true);
}

/** Whether fields that passed the CRC make sense together: a program of another mind may have written them. */
export function fieldsMakeSense(fields: RecordFields): boolean {
  const { flags, keyBytes, storedBytes } = fields;
  if (!Number.isSafeInteger(fields.sequence) || (flags & 128) !== 0) return false;
  if (flags === recordFlags.mark) return keyBytes === 0 && storedBytes === 8;
  if ((flags & recordFlags.mark) !== 0 || keyBytes < 1 || keyBytes > keyLimitBytes || fields.sequence < 1) return false;
  const codec = (flags & recordFlags.codecMask) >> recordFlags.codecShift;
  if (codec >= codecs.length) return false;
  if (
    (flags & recordFlags.tombstone) !== 0 &&
    (storedBytes !== 0 || codec !== 0 || (flags & recordFlags.expires) !== 0)
  )
    return false;
  if ((flags & recordFlags.expires) !== 0 && (fields.expiresAtMs < 1 || !Number.isSafeInteger(fields.expiresAtMs)))
    return false;
  return (flags & (recordFlags.member | recordFlags.commit)) !== (recordFlags.member | recordFlags.commit);
}
