/** Entries of one stream out of its files. */
import type { Hlc, ReadResult, StreamId } from '@shanghai/replication';
import { type Wal, WalError } from '@shanghai/wal';
import { writeU32 } from '../apply/byte-fields.js';
import { fileRecordTime, streamRecordHlc } from './log-file-record.js';

/** Which entries make a run. */
export interface RunRange {
  readonly fromSequence: number;
  /** The last that may be read. */
  readonly lastSequence: number;
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/** A run of what the files hold, or where they begin. */
export async function runOf(wal: Wal, stream: StreamId, range: RunRange): Promise<ReadResult> {
  const { fromSequence, lastSequence, maxEntries, maxBytes } = range;
  const { firstLsn } = wal.info();
  if (fromSequence < firstLsn) return { type: 'trimmed', firstSequence: firstLsn };
  const payloads: Uint8Array[] = [];
  let length = 0;
  const to = Math.min(lastSequence, fromSequence + maxEntries - 1) + 1;
  try {
    for await (const { payload } of wal.entries({ from: fromSequence, to })) {
      if (payloads.length > 0 && length + 4 + payload.length > maxBytes) break;
      payloads.push(payload);
      length += 4 + payload.length;
    }
  } catch (error) {
    if (error instanceof WalError && error.code === 'LSN_TRIMMED') {
      return { type: 'trimmed', firstSequence: wal.info().firstLsn };
    }
    throw error;
  }
  const last = payloads.at(-1);
  if (last === undefined) return { type: 'nothing' };
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const payload of payloads) {
    writeU32(bytes, at, payload.length);
    bytes.set(payload, at + 4);
    at += 4 + payload.length;
  }
  const lastHlc: Hlc = streamRecordHlc(last);
  return { type: 'run', run: { stream, firstSequence: fromSequence, count: payloads.length, lastHlc, bytes } };
}

/** The first sequence in [first, last] whose entry is of this time or later, or the one behind the last. */
export async function sequenceAtTime(wal: Wal, first: number, last: number, timeMs: number): Promise<number> {
  if (first > last) return last + 1;
  const from = Math.max(first, Math.min(await wal.lsnAtTime(timeMs), last + 1));
  for await (const { lsn, payload } of wal.entries({ from, to: last + 1 })) {
    if (fileRecordTime(payload) >= timeMs) return lsn;
  }
  return last + 1;
}
