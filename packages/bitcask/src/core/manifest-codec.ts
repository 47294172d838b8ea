import { crc32 } from '@shanghai/env';
import { checkPreamble, type Decoded, writePreamble } from './preamble.js';
import { getUint64, setUint64 } from './uint64.js';

/**
 * The manifest: which segments are live; docs/formats/bitcask.md, section 2.
 *
 * ```
 *  0          16         24           32         36      40               48
 *  +----------+----------+------------+----------+-------+----------------+--------------------+------+
 *  | preamble | store id | generation | next id  | count | sequence floor | count × 24 B       | crc  |
 *  |          | u64      | u64        | u32      | u32   | u64            |                    | u32  |
 *  +----------+----------+------------+----------+-------+----------------+--------------------+------+
 * entry: | file id u32 | flags u32 | segment id u64 | sealed bytes u64 |
 * ```
 *
 * It exists so that a merge is atomic (one replacement swaps outputs for inputs), so that a file that vanished is
 * noticed, and so that a sealed segment's length is known from outside the segment: else a cut at its end would look
 * like a crash.
 */

const headBytes = 48;
const entryBytes = 24;
const flagMerged = 1;
const flagTombstonesNeeded = 2;

/** One live segment. */
export interface ManifestEntry {
  readonly fileId: number;
  readonly segmentId: number;
  readonly merged: boolean;
  /** A merge found its tombstones still needed. */
  readonly tombstonesNeeded: boolean;
  /** The final length, 0 while records are appended. */
  readonly sealedBytes: number;
}

/** A whole manifest. */
export interface Manifest {
  readonly storeId: number;
  readonly generation: number;
  readonly nextFileId: number;
  readonly sequenceFloor: number;
  /** By rising file id. */
  readonly entries: readonly ManifestEntry[];
}

/** The largest manifest a reader takes: some 40 million segments would not fit a disk. */
export const manifestLimitBytes = 64 * 1024 * 1024;

/** The manifest as it lies in the file. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const bytes = new Uint8Array(headBytes + manifest.entries.length * entryBytes + 4);
  const view = new DataView(bytes.buffer);
  writePreamble(view, 'manifest');
  setUint64(view, 16, manifest.storeId);
  setUint64(view, 24, manifest.generation);
  view.setUint32(32, manifest.nextFileId, true);
  view.setUint32(36, manifest.entries.length, true);
  setUint64(view, 40, manifest.sequenceFloor);
  let at = headBytes;
  for (const entry of manifest.entries) {
    view.setUint32(at, entry.fileId, true);
    view.setUint32(at + 4, (entry.merged ? flagMerged : 0) | (entry.tombstonesNeeded ? flagTombstonesNeeded : 0), true);
    setUint64(view, at + 8, entry.segmentId);
    setUint64(view, at + 16, entry.sealedBytes);
    at += entryBytes;
  }
  view.setUint32(at, crc32(bytes, 0, 0, at), true);
  return bytes;
}

/** Reads a manifest; says why where it is none. */
export function decodeManifest(bytes: Uint8Array): Decoded<Manifest> {
  if (bytes.length < headBytes + 4) return { kind: 'damaged', what: `it has only ${bytes.length} bytes` };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const preamble = checkPreamble(view, 'manifest');
  if (preamble.kind !== 'ok') return preamble;
  const end = bytes.length - 4;
  if (crc32(bytes, 0, 0, end) !== view.getUint32(end, true))
    return { kind: 'damaged', what: 'its checksum does not hold' };
  const count = view.getUint32(36, true);
  if (end !== headBytes + count * entryBytes)
    return { kind: 'damaged', what: `${count} entries do not fit ${bytes.length} bytes` };
  const entries: ManifestEntry[] = [];
  for (let at = headBytes; at < end; at += entryBytes) {
    const flags = view.getUint32(at + 4, true);
    entries.push({
      fileId: view.getUint32(at, true),
      merged: (flags & flagMerged) !== 0,
      tombstonesNeeded: (flags & flagTombstonesNeeded) !== 0,
      segmentId: getUint64(view, at + 8),
      sealedBytes: getUint64(view, at + 16),
    });
  }
  return {
    kind: 'ok',
    value: {
      storeId: getUint64(view, 16),
      generation: getUint64(view, 24),
      nextFileId: view.getUint32(32, true),
      sequenceFloor: getUint64(view, 40),
      entries,
    },
  };
}
