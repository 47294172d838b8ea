import { shiftCrc32 } from '@shanghai/env';
import { claimedBytes, crcHolds, layRecord, recordFlags, stampRecord } from './record.js';
import { getUint64 } from './uint64.js';

/** Records as a merge moves them: checked where they lay, stamped for where they go, without taking them apart. */

const crcBytes = 4;
const flagsAt = 4;
const sequenceAt = 12;
const batchFlags = recordFlags.member | recordFlags.commit;
const noBytes = new Uint8Array(0);

/** Whether the record meant lies in `[start, start + recordBytes)`, whole. `seed` is that of its place in its file. */
export function holdsRecord(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  recordBytes: number,
  sequence: number,
  seed: number,
): boolean {
  return (
    claimedBytes(view, start) === recordBytes &&
    getUint64(view, start + sequenceAt) === sequence &&
    crcHolds(bytes, view, start, start + recordBytes, seed)
  );
}

/**
 * Seals a record that `holdsRecord` found whole under `seedBefore` for a place with `seedAfter`, and takes the batch flags
 * off. What is not changed is not read again: a byte that went wrong since the check is found by whoever reads it next.
 */
export function moveRecord(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  seedBefore: number,
  seedAfter: number,
): void {
  const flags = view.getUint8(start + flagsAt);
  if ((flags & batchFlags) !== 0) {
    view.setUint8(start + flagsAt, flags & ~batchFlags);
    stampRecord(bytes, view, start, end, getUint64(view, start + sequenceAt), seedAfter);
    return;
  }
  const crc = view.getUint32(start, true) ^ shiftCrc32(seedBefore ^ seedAfter, end - start - crcBytes);
  view.setUint32(start, crc >>> 0, true);
}

/** Lays out a tombstone, to be stamped; returns the position behind it. */
export function layTombstone(bytes: Uint8Array, view: DataView, start: number, key: Uint8Array): number {
  const content = { flags: recordFlags.tombstone, key, stored: noBytes, expiresAtMs: 0, codec: 0, rawBytes: 0 };
  return layRecord(bytes, view, start, content);
}
