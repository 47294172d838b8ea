/** What a log's files hold already must be what would be written again. */
import type { Wal } from '@shanghai/wal';
import type { AcceptedAppend } from '../apply/log-table.js';
import { foreignEntry } from './damaged-logs.js';
import { fileRecordIndex, isSameStamp } from './log-file-record.js';

/** Rejects where the first entry of an append that is skipped is another's. */
export async function requireHeldAppend(wal: Wal, append: AcceptedAppend, directory: string): Promise<void> {
  const { logId, firstSequence, entryIndex } = append;
  if (firstSequence < wal.info().firstLsn) return;
  const held = await wal.read(firstSequence);
  if (held !== undefined && fileRecordIndex(held.payload) === entryIndex) return;
  throw foreignEntry(logId, directory, firstSequence, entryIndex);
}

/** Likewise an entry of a stream: those are never rewritten. */
export async function requireHeldEntry(
  wal: Wal,
  logId: number,
  { lsn, payload }: { readonly lsn: number; readonly payload: Uint8Array },
  directory: string,
): Promise<void> {
  if (lsn < wal.info().firstLsn) return;
  const held = await wal.read(lsn);
  if (held !== undefined && isSameStamp(held.payload, payload)) return;
  throw foreignEntry(logId, directory, lsn, 0);
}
