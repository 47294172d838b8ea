import { crc32 } from '@shanghai/env';
import { fileHeaderBytes, openFileHeader, sealFileHeader } from './file-header.js';
import type { KeydirPosition } from './keydir.js';
import { type Decoded, writePreamble } from './preamble.js';
import { crcSeed, segmentSeedOf } from './record.js';
import type { Segment } from './segment.js';
import { getUint64, setUint64 } from './uint64.js';

/**
 * The file that holds the key directory; docs/formats/bitcask.md, section 7.
 *
 * ```
 * header:
 *  0          16         24            32           36         40                 48     60
 *  +----------+----------+-------------+------------+----------+------------------+------+------+
 *  | preamble | store id | snapshot id | page bytes | segments | visible sequence | zero | crc  |
 *  |          | u64      | u64         | u32        | u32      | u64              | 12 B | u32  |
 *  +----------+----------+-------------+------------+----------+------------------+------+------+
 * block: | kind u32 | count u32 | payload bytes u32 | crc u32 | payload |
 * ```
 *
 * Pages lie in the file as they lie in memory, so that loading is reading and checking. What is in a block's payload is
 * told by its kind; checksums are seeded with the snapshot's id and the block's number, so that no block can stand in
 * for another.
 */

/** Bytes before the first block. */
export const snapshotHeaderBytes = fileHeaderBytes;
/** Bytes of a block before its payload. */
export const blockHeadBytes = 16;
/** The longest payload: a reader allocates no more. */
export const blockPayloadLimit = 2 * 1024 * 1024;
/** Bytes of a covered segment in its block. */
export const coveredSegmentBytes = 56;
/** Bytes of a wide position in its block. */
export const widePositionBytes = 24;
/** Bytes of the last block's payload. */
export const endPayloadBytes = 24 + 256 * 8;

/** What a block holds. */
export const blockKinds = { segments: 1, pages: 2, longKeys: 3, widePositions: 4, end: 5 } as const;

/** What the file says of itself. */
export interface SnapshotHeader {
  readonly storeId: number;
  readonly snapshotId: number;
  readonly pageBytes: number;
  /** Covered segments. */
  readonly segments: number;
  readonly visibleSequence: number;
}

/** A covered segment: which one, and what opening would have counted. */
export type CoveredSegment = Pick<
  Segment,
  'fileId' | 'segmentId' | 'bytes' | 'liveBytes' | 'tombstoneBytes' | 'minSequence' | 'maxSequence'
>;

/** What the last block says. */
export interface SnapshotEnd {
  readonly pages: number;
  readonly root: number;
  readonly keys: number;
  readonly longKeys: number;
  readonly widePositions: number;
  /** How many keys begin with each byte; 256 numbers. */
  readonly keysByFirstByte: Float64Array;
}

/** A block without its payload. */
export interface BlockHead {
  readonly kind: number;
  readonly count: number;
  readonly payloadBytes: number;
  readonly crc: number;
}

/** The header as it lies in the file. */
export function encodeSnapshotHeader(header: SnapshotHeader): Uint8Array {
  const bytes = new Uint8Array(snapshotHeaderBytes);
  const view = new DataView(bytes.buffer);
  writePreamble(view, 'keydir');
  setUint64(view, 16, header.storeId);
  setUint64(view, 24, header.snapshotId);
  view.setUint32(32, header.pageBytes, true);
  view.setUint32(36, header.segments, true);
  setUint64(view, 40, header.visibleSequence);
  sealFileHeader(bytes, view);
  return bytes;
}

/** Reads a header; says why where it is none. */
export function decodeSnapshotHeader(bytes: Uint8Array): Decoded<SnapshotHeader> {
  const opened = openFileHeader(bytes, 'keydir');
  if (opened.kind !== 'ok') return opened;
  const view = opened.value;
  return {
    kind: 'ok',
    value: {
      storeId: getUint64(view, 16),
      snapshotId: getUint64(view, 24),
      pageBytes: view.getUint32(32, true),
      segments: view.getUint32(36, true),
      visibleSequence: getUint64(view, 40),
    },
  };
}

/** The checksum seed of block `number` of a snapshot. */
export function blockSeed(snapshotId: number, number: number): number {
  return crcSeed(segmentSeedOf(snapshotId), number);
}

/** Completes the block at the beginning of `bytes`, whose payload of `payloadBytes` stands behind the head. */
export function sealBlock(bytes: Uint8Array, view: DataView, head: Omit<BlockHead, 'crc'>, seed: number): void {
  view.setUint32(0, head.kind, true);
  view.setUint32(4, head.count, true);
  view.setUint32(8, head.payloadBytes, true);
  const end = blockHeadBytes + head.payloadBytes;
  view.setUint32(12, crc32(bytes, crc32(bytes, seed, 0, 12), blockHeadBytes, end), true);
}

/** Reads a block's head. `bytes` holds it at its beginning. */
export function readBlockHead(bytes: Uint8Array): BlockHead {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    kind: view.getUint32(0, true),
    count: view.getUint32(4, true),
    payloadBytes: view.getUint32(8, true),
    crc: view.getUint32(12, true),
  };
}

/** Writes a covered segment at `at`. */
export function writeCoveredSegment(view: DataView, at: number, segment: CoveredSegment): void {
  view.setUint32(at, segment.fileId, true);
  view.setUint32(at + 4, 0, true);
  setUint64(view, at + 8, segment.segmentId);
  setUint64(view, at + 16, segment.bytes);
  setUint64(view, at + 24, segment.liveBytes);
  setUint64(view, at + 32, segment.tombstoneBytes);
  setUint64(view, at + 40, segment.maxSequence === 0 ? 0 : segment.minSequence);
  setUint64(view, at + 48, segment.maxSequence);
}

/** Reads a covered segment at `at`. */
export function readCoveredSegment(view: DataView, at: number): CoveredSegment {
  const maxSequence = getUint64(view, at + 48);
  return {
    fileId: view.getUint32(at, true),
    segmentId: getUint64(view, at + 8),
    bytes: getUint64(view, at + 16),
    liveBytes: getUint64(view, at + 24),
    tombstoneBytes: getUint64(view, at + 32),
    minSequence: maxSequence === 0 ? Number.POSITIVE_INFINITY : getUint64(view, at + 40),
    maxSequence,
  };
}

/** Writes a wide position at `at`. */
export function writeWidePosition(view: DataView, at: number, position: KeydirPosition): void {
  view.setUint32(at, position.fileId, true);
  view.setUint32(at + 4, position.offset, true);
  view.setUint32(at + 8, position.recordBytes, true);
  view.setUint32(at + 12, position.expires ? 1 : 0, true);
  setUint64(view, at + 16, position.sequence);
}

/** Reads a wide position at `at`. */
export function readWidePosition(view: DataView, at: number): KeydirPosition {
  return {
    fileId: view.getUint32(at, true),
    offset: view.getUint32(at + 4, true),
    recordBytes: view.getUint32(at + 8, true),
    expires: (view.getUint32(at + 12, true) & 1) !== 0,
    sequence: getUint64(view, at + 16),
  };
}

/** Writes the last block's payload at `at`. */
export function writeSnapshotEnd(view: DataView, at: number, end: SnapshotEnd): void {
  view.setUint32(at, end.pages, true);
  view.setUint32(at + 4, end.root, true);
  setUint64(view, at + 8, end.keys);
  view.setUint32(at + 16, end.longKeys, true);
  view.setUint32(at + 20, end.widePositions, true);
  for (let i = 0; i < 256; i++) setUint64(view, at + 24 + i * 8, end.keysByFirstByte[i] as number);
}

/** Reads the last block's payload at `at`. */
export function readSnapshotEnd(view: DataView, at: number): SnapshotEnd {
  const keysByFirstByte = new Float64Array(256);
  for (let i = 0; i < 256; i++) keysByFirstByte[i] = getUint64(view, at + 24 + i * 8);
  return {
    pages: view.getUint32(at, true),
    root: view.getUint32(at + 4, true),
    keys: getUint64(view, at + 8),
    longKeys: view.getUint32(at + 16, true),
    widePositions: view.getUint32(at + 20, true),
    keysByFirstByte,
  };
}
