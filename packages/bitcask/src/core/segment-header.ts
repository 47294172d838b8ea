import { crc32 } from '@shanghai/env';
import { checkPreamble, type Decoded, writePreamble } from './preamble.js';
import { getUint64, setUint64 } from './uint64.js';

/**
 * The first 64 bytes of a segment; docs/formats/bitcask.md, section 3.
 *
 * ```
 *  0          16           24        28     29      32              40        48          60
 *  +----------+------------+---------+------+-------+---------------+---------+-----------+------+
 *  | preamble | segment id | file id | kind | zero  | base sequence | created | witness   | crc  |
 *  |          | u64        | u32     | u8   | 3 B   | u64           | ms u64  | 12 B      | u32  |
 *  +----------+------------+---------+------+-------+---------------+---------+-----------+------+
 * witness: | durable end u64 | crc u32 |
 * ```
 *
 * The witness is the one part that is written later, in place, while the segment is active: how much of the file was
 * synced when the writer turned idle. Without it a file cut off exactly between two records would look whole. It has a
 * checksum of its own; one that does not hold says nothing.
 */

/** Bytes before the first record. */
export const segmentHeaderBytes = 64;

/** `log`: records in the order of writes. `merged`: the output of a merge, in the order of keys. */
export type SegmentKind = 'log' | 'merged';

/** What a segment says of itself. */
export interface SegmentHeader {
  readonly segmentId: number;
  readonly fileId: number;
  readonly kind: SegmentKind;
  /** The last sequence before the first record here; 0 for `merged`. */
  readonly baseSequence: number;
  readonly createdMs: number;
}

/** The header as a new segment begins with it; its witness says nothing. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(segmentHeaderBytes);
  const view = new DataView(bytes.buffer);
  writePreamble(view, 'segment');
  setUint64(view, 16, header.segmentId);
  view.setUint32(24, header.fileId, true);
  view.setUint8(28, header.kind === 'log' ? 1 : 2);
  setUint64(view, 32, header.baseSequence);
  setUint64(view, 40, header.createdMs);
  view.setUint32(60, crc32(bytes, 0, 0, witnessOffset), true);
  return bytes;
}

/** Where the witness lies in the file. */
export const witnessOffset = 48;
const witnessBytes = 12;

/** The bytes to write at `witnessOffset`: `[0, durableEnd)` of the segment has been synced. */
export function encodeWitness(segmentSeed: number, durableEnd: number): Uint8Array {
  const bytes = new Uint8Array(witnessBytes);
  const view = new DataView(bytes.buffer);
  setUint64(view, 0, durableEnd);
  view.setUint32(8, crc32(bytes, segmentSeed, 0, 8), true);
  return bytes;
}

/** The durable end that a header's witness tells, or 0. */
export function decodeWitness(header: Uint8Array, segmentSeed: number): number {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const holds =
    crc32(header, segmentSeed, witnessOffset, witnessOffset + 8) === view.getUint32(witnessOffset + 8, true);
  return holds ? getUint64(view, witnessOffset) : 0;
}

/** Reads a header; says why where it is none. */
export function decodeSegmentHeader(bytes: Uint8Array): Decoded<SegmentHeader> {
  if (bytes.length < segmentHeaderBytes)
    return { kind: 'damaged', what: `it has ${bytes.length} bytes, a header has ${segmentHeaderBytes}` };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const preamble = checkPreamble(view, 'segment');
  if (preamble.kind === 'damaged') return preamble;
  if (crc32(bytes, 0, 0, witnessOffset) !== view.getUint32(60, true))
    return { kind: 'damaged', what: 'the header checksum does not hold' };
  if (preamble.kind === 'unsupported') return preamble;
  const kind = view.getUint8(28);
  if (kind !== 1 && kind !== 2) return { kind: 'unsupported', what: `segment kind ${kind}` };
  return {
    kind: 'ok',
    value: {
      segmentId: getUint64(view, 16),
      fileId: view.getUint32(24, true),
      kind: kind === 1 ? 'log' : 'merged',
      baseSequence: getUint64(view, 32),
      createdMs: getUint64(view, 40),
    },
  };
}
