import { claimedBytes, crcHolds, layRecord, recordFlags, stampRecord } from './record.js';
import { getUint64 } from './uint64.js';

/** Records as a merge moves them: checked where they lay, stamped for where they go, without taking them apart. */

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

/** Takes the batch flags off and seals the record for its new place. */
export function restampRecord(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  sequence: number,
  seed: number,
): void {
  view.setUint8(start + flagsAt, view.getUint8(start + flagsAt) & ~batchFlags);
  stampRecord(bytes, view, start, end, sequence, seed);
}

/** Lays out a tombstone, to be stamped; returns the position behind it. */
export function layTombstone(bytes: Uint8Array, view: DataView, start: number, key: Uint8Array): number {
  const content = { flags: recordFlags.tombstone, key, stored: noBytes, expiresAtMs: 0, codec: 0, rawBytes: 0 };
  return layRecord(bytes, view, start, content);
}
