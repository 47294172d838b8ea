/**
 * The first 4,096 bytes of a segment (docs/formats/wal.md, section 2). A whole page, so that it is never in one sector
 * with a frame: a torn frame cannot take the header with it.
 */
import { crc32 } from '@shanghai/env';
import { getUint64, setUint64 } from './uint64.js';

/** Offset of a segment's first frame. */
export const segmentHeaderBytes = 4096;

const magic = [0x53, 0x48, 0x57, 0x41, 0x4c, 0x53, 0x45, 0x47];
const majorVersion = 1;
const minorVersion = 1;
/** Feature: frames here may replace a stream, and the footer has their table. */
export const replacesFeature = 1;
/** Feature: frames here may be compressed. */
export const compressionFeature = 2;
/** Feature: records here were lost, and nobody knows of which streams. */
export const lostFeature = 4;
const knownFeatures = replacesFeature | compressionFeature | lostFeature;
const crcOffset = segmentHeaderBytes - 4;

/** What a segment says of itself. */
export interface SegmentHeader {
  /** 16 hex digits, never used twice. */
  readonly segmentId: string;
  /** 32 hex digits, the same in all segments of a log. */
  readonly logId: string;
  readonly baseLsn: number;
  readonly createdMs: number;
  /** Offset at which the segment is full. */
  readonly capacityBytes: number;
  /** The file is at least this long until it is sealed; 0 = it grows. */
  readonly allocatedBytes: number;
  /** What a reader must know, as bits. */
  readonly features: number;
}

/** `damaged`: torn, or not a segment at all. `unsupported`: a newer format wrote it. */
export type DecodedSegmentHeader =
  | { readonly kind: 'header'; readonly header: SegmentHeader }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'unsupported'; readonly major: number; readonly features: number };

/** The header page, in a buffer of its own. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(segmentHeaderBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(magic, 0);
  view.setUint16(8, majorVersion, true);
  view.setUint16(10, minorVersion, true);
  view.setUint32(12, header.features, true);
  writeHex(bytes, 16, header.segmentId);
  writeHex(bytes, 24, header.logId);
  setUint64(view, 40, header.baseLsn);
  setUint64(view, 48, header.createdMs);
  view.setUint32(56, header.capacityBytes, true);
  view.setUint32(60, header.allocatedBytes, true);
  view.setUint32(crcOffset, crc32(bytes, 0, 0, crcOffset), true);
  return bytes;
}

/** Reads the header from the first bytes of a segment. */
export function decodeSegmentHeader(bytes: Uint8Array): DecodedSegmentHeader {
  if (bytes.length < segmentHeaderBytes) return { kind: 'damaged' };
  const view = new DataView(bytes.buffer, bytes.byteOffset, segmentHeaderBytes);
  if (magic.some((byte, index) => bytes[index] !== byte)) return { kind: 'damaged' };
  if (view.getUint32(crcOffset, true) !== crc32(bytes, 0, 0, crcOffset)) return { kind: 'damaged' };
  const major = view.getUint16(8, true);
  const features = view.getUint32(12, true);
  if (major !== majorVersion || (features & ~knownFeatures) !== 0) return { kind: 'unsupported', major, features };
  return {
    kind: 'header',
    header: {
      segmentId: readHex(bytes, 16, 8),
      logId: readHex(bytes, 24, 16),
      baseLsn: getUint64(view, 40),
      createdMs: getUint64(view, 48),
      capacityBytes: view.getUint32(56, true),
      allocatedBytes: view.getUint32(60, true),
      features,
    },
  };
}

/** The checksum that seeds every frame of the segment with this id. */
export function segmentSeed(segmentId: string): number {
  const bytes = new Uint8Array(8);
  writeHex(bytes, 0, segmentId);
  return crc32(bytes);
}

/** Random bytes as the ids here are written. */
export function toHex(bytes: Uint8Array): string {
  return readHex(bytes, 0, bytes.length);
}

function writeHex(bytes: Uint8Array, at: number, hex: string): void {
  for (let i = 0; i < hex.length; i += 2) bytes[at + i / 2] = Number.parseInt(hex.slice(i, i + 2), 16);
}

function readHex(bytes: Uint8Array, at: number, length: number): string {
  let hex = '';
  for (let i = at; i < at + length; i++) hex += (bytes[i] as number).toString(16).padStart(2, '0');
  return hex;
}
