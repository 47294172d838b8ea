import type { Wal } from '@shanghai/wal';
import { fileRecordTime } from './log-file-record.js';
import type { LogSettings } from './log-requests.js';

/**
 * The first sequence that retention keeps: whole segments behind it are older than `retentionMs`, or beyond
 * `retentionBytes`, and single entries beyond `retentionEntries`. By age and size the last segment is always kept.
 */
export async function expiredBefore(
  wal: Wal,
  {
    retentionMs,
    retentionBytes,
    retentionEntries,
  }: Pick<LogSettings, 'retentionMs' | 'retentionBytes' | 'retentionEntries'>,
  nowMs: number,
): Promise<number> {
  const { firstLsn, lastLsn, bytes } = wal.info();
  let first = retentionEntries === undefined ? firstLsn : Math.max(firstLsn, lastLsn - retentionEntries + 1);
  let left = bytes;
  for (const segment of wal.pins().slice(0, -1)) {
    const beyondSize = retentionBytes > 0 && left - segment.bytes >= retentionBytes;
    const tooOld = retentionMs > 0 && !beyondSize && (await isOlder(wal, segment.lastLsn, nowMs - retentionMs));
    if (!beyondSize && !tooOld) break;
    left -= segment.bytes;
    first = Math.max(first, segment.lastLsn + 1);
  }
  return first;
}

async function isOlder(wal: Wal, lsn: number, thanMs: number): Promise<boolean> {
  const entry = await wal.read(lsn);
  return entry !== undefined && fileRecordTime(entry.payload) < thanMs;
}
