import type { Disk } from '@shanghai/env';
import type { Lsn } from '../wal.js';
import type { Damage } from '../wal-failures.js';
import { walkLog } from './walk-log.js';
import type { WalkOptions } from './walk-options.js';
import { withLock } from './with-lock.js';

/** What a log's directory holds, and what is wrong with it. JSON-representable. */
export interface WalReport {
  /** Whether nothing is damaged. A torn tail is no damage: opening cuts it. */
  readonly ok: boolean;
  readonly segments: number;
  readonly frames: number;
  readonly records: number;
  readonly bytes: number;
  /** 0 where there are no records. */
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly damage: readonly Damage[];
  /** Records that an earlier salvage could not read. */
  readonly lost: readonly { readonly firstLsn: Lsn; readonly lastLsn: Lsn }[];
  readonly tornTail: { readonly segment: string; readonly offset: number } | undefined;
}

/** Reads every byte of a log that nobody has open, and changes nothing. Rejects with `LOCKED`, `UNSUPPORTED_FORMAT`. */
export function verifyWal(disk: Disk, directory: string, options: WalkOptions = {}): Promise<WalReport> {
  return withLock(disk, directory, 'wal verify', () => readReport(disk, directory, options));
}

/** `verifyWal` for a caller that holds the lock. */
export async function readReport(disk: Disk, directory: string, options: WalkOptions = {}): Promise<WalReport> {
  const damage: Damage[] = [];
  const lost: { firstLsn: Lsn; lastLsn: Lsn }[] = [];
  const counts = { segments: 0, frames: 0, records: 0, bytes: 0, firstLsn: 0, lastLsn: 0 };
  let tornTail: WalReport['tornTail'];
  for await (const item of walkLog(disk, directory, options)) {
    if (item.kind === 'segment') {
      counts.segments++;
      counts.bytes += item.bytes;
    } else if (item.kind === 'frame') {
      counts.frames++;
      counts.records += item.records.length;
      if (item.records.length === 0) continue;
      if (counts.firstLsn === 0) counts.firstLsn = item.firstLsn;
      counts.lastLsn = item.firstLsn + item.records.length - 1;
    } else if (item.kind === 'damage') {
      const { segment, offset, firstLsn, lastLsn, reason } = item;
      damage.push({ segment, offset, firstLsn, lastLsn, reason });
    } else if (item.kind === 'lost') {
      lost.push({ firstLsn: item.firstLsn, lastLsn: item.lastLsn });
    } else if (item.torn) {
      tornTail = { segment: item.segment, offset: item.offset };
    }
  }
  return { ok: damage.length === 0, ...counts, damage, lost, tornTail };
}
