/** Offline work on write-ahead logs. */
import { join } from 'node:path';
import { type Disk, invariant } from '@shanghai/env';
import { dumpWal, repairWal, salvageWal, verifyWal, type WalItem } from '@shanghai/wal';
import { CtlError } from './ctl-error.js';
import { takeOfflineLocks, underOfflineLock } from './offline-lock.js';
import type { Damage, DumpedItem, DumpOptions, OfflineOptions, OfflineWal } from './offline-tools.js';
import { watchedDisk } from './watched-disk.js';

/** The log's own offline functions take the log's lock; the data directory's is taken around them. */
const around = { own: false, readOnly: false };

/** The log's own offline functions, with locks and progress. */
export function walTools(disk: Disk): OfflineWal {
  const watched = async <Result>(
    directory: string,
    options: OfflineOptions,
    interruptible: boolean,
    work: (disk: Disk) => Promise<Result>,
  ): Promise<Result> => {
    await requireSegments(disk, directory);
    const watching = await watchedDisk(disk, directory, options, interruptible);
    return underOfflineLock(disk, directory, around, () => work(watching));
  };
  return {
    verify: (directory, options) =>
      watched(directory, options, true, async (watching) => {
        const { ok, damage, tornTail, ...report } = await verifyWal(watching, directory);
        invariant(ok === (damage.length === 0), 'a log is sound exactly where nothing is damaged');
        return { ...report, tornTail, problems: damage.map(toDamage) };
      }),
    dump: (directory, options) => dump(disk, directory, options),
    truncateTail: (directory, options) =>
      // Not interrupted: half a repair would have to be begun again anyway.
      watched(directory, options, false, async (watching) => {
        const { damage, ...result } = await repairWal(watching, directory, { mode: 'truncate-tail' });
        return { ...result, ...(damage === undefined ? {} : { damage: toDamage(damage) }) };
      }),
    salvage: (directory, outDirectory, options) =>
      watched(directory, options, true, (watching) => salvageWal(watching, directory, outDirectory)),
  };
}

async function* dump(disk: Disk, directory: string, options: DumpOptions): AsyncGenerator<DumpedItem> {
  await requireSegments(disk, directory);
  const { from = 0, to = Number.MAX_SAFE_INTEGER, stream } = options;
  const release = await takeOfflineLocks(disk, directory, { own: true, readOnly: true });
  try {
    for await (const item of dumpWal(disk, directory)) {
      if (item.kind === 'damage') yield { damage: toDamage(item) };
      if (item.kind !== 'frame') continue;
      if (item.firstLsn >= to) return;
      for (const record of item.records) {
        if (record.lsn >= from && record.lsn < to && (stream === undefined || record.stream === stream)) yield record;
      }
    }
  } finally {
    await release();
  }
}

/** The names of segments (docs/formats/wal.md). */
const segmentPattern = /^\d{20}\.wal$/;

/** Fails where a directory holds no log: a wrong path must not read as a sound log without records. */
async function requireSegments(disk: Disk, directory: string): Promise<void> {
  const holdsLog = async (path: string) => (await disk.list(path)).some((name) => segmentPattern.test(name));
  if (await holdsLog(directory)) return;
  const below = join(directory, 'wal');
  const isBelow = (await disk.stat(below))?.kind === 'directory' && (await holdsLog(below));
  const hint = isBelow ? `; did you mean '${below}'?` : '';
  throw new CtlError('NOT_FOUND', `there is no log in '${directory}'${hint}`, { details: { directory } });
}

function toDamage(
  damage: Pick<WalItem & { kind: 'damage' }, 'segment' | 'offset' | 'firstLsn' | 'reason'> & {
    readonly lastLsn: number | undefined;
  },
): Damage {
  const { segment, offset, firstLsn, lastLsn, reason } = damage;
  const lsns = lastLsn === undefined ? `LSN ${firstLsn} on` : `LSN ${firstLsn} to ${lastLsn}`;
  // A damaged footer or mark holds no records.
  const lost = lastLsn !== undefined && lastLsn < firstLsn ? 'no records' : lsns;
  return { file: segment, offset, what: `${reason} (${lost})` };
}
