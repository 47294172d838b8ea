/**
 * Entries of one (origin, epoch) as they lie in its files, to be passed on without being decoded
 * (docs/formats/log-page.md): per entry the log file's record header of 12 bytes and the file record.
 */
import { compareStamps, type EntryStamp } from '@shanghai/replication';
import type { WalBlock } from '@shanghai/wal';
import { readU32 } from '../apply/byte-fields.js';
import { isHiddenRecord, isKnownRecord, streamRecordHlc } from './log-file-record.js';

/** Entries that follow each other, packed. */
export interface PackedEntries {
  readonly origin: number;
  readonly epoch: number;
  readonly firstSequence: number;
  /** ≥ 1. */
  readonly count: number;
  readonly bytes: Uint8Array;
  /** Where in `bytes` the last of them begins. */
  readonly lastAt: number;
}

/** Bytes before each file record; the first four are its length. */
export const packedHeadBytes = 12;

/** The entries of a block up to the first that compaction took away; `undefined` where that is the first. Throws `RangeError` at a record that is not known. */
export function packBlock(
  { firstLsn, count, bytes }: WalBlock,
  { origin, epoch }: { readonly origin: number; readonly epoch: number },
): PackedEntries | undefined {
  let at = 0;
  let lastAt = 0;
  let whole = 0;
  for (; whole < count; whole++) {
    const record = at + packedHeadBytes;
    if (!isKnownRecord(bytes, record)) throw new RangeError(`a log record of version ${bytes[record]} is not known`);
    if (isHiddenRecord(bytes, record)) break;
    lastAt = at;
    at = record + readU32(bytes, at);
  }
  if (whole === 0) return undefined;
  return { origin, epoch, firstSequence: firstLsn, count: whole, bytes: bytes.subarray(0, at), lastAt };
}

/** Those up to a stamp, with it. Only of streams. */
export function packedUpTo(packed: PackedEntries, bound: EntryStamp): PackedEntries | undefined {
  if (compareStamps(lastStamp(packed), bound) <= 0) return packed;
  const { bytes } = packed;
  let at = 0;
  let lastAt = 0;
  let count = 0;
  // The last one is beyond the bound, so this ends before it.
  for (; compareStamps(stampAt(packed, count, at), bound) <= 0; count++) {
    lastAt = at;
    at += packedHeadBytes + readU32(bytes, at);
  }
  return count === 0 ? undefined : { ...packed, count, bytes: bytes.subarray(0, at), lastAt };
}

/** The stamp of the last entry. Only of streams. */
export function lastStamp(packed: PackedEntries): EntryStamp {
  return stampAt(packed, packed.count - 1, packed.lastAt);
}

function stampAt({ origin, epoch, firstSequence, bytes }: PackedEntries, index: number, at: number): EntryStamp {
  return { origin, epoch, sequence: firstSequence + index, hlc: streamRecordHlc(bytes, at + packedHeadBytes) };
}
