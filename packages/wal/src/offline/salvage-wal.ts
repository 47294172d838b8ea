/**
 * Copies every record that still reads into a new log, under its own LSN. In the place of those that do not stands a
 * frame that says so: a reader that comes to it fails with `CORRUPT` and can go on behind it, and nothing is silently
 * missing.
 */
import { type Clock, type Disk, ensureDirectory, nodeClock, nodeRandom, type Random } from '@shanghai/env';
import { FrameBatch } from '../core/frame-batch.js';
import { toHex } from '../core/segment-header.js';
import type { Lsn } from '../wal.js';
import { leaveRepairMarker } from './repair-marker.js';
import { SalvageWriter } from './salvage-writer.js';
import { type WalFrameItem, walkLog } from './walk-log.js';
import type { WalkOptions } from './walk-options.js';
import { withLock } from './with-lock.js';

/** What a salvage takes beside the directories. */
export interface SalvageOptions extends WalkOptions {
  /** Default: the Node forms. */
  readonly clock?: Clock;
  readonly random?: Random;
}

/** What a salvage saved. */
export interface SalvageResult {
  readonly records: number;
  /** LSNs that could not be read, inclusive. */
  readonly lost: readonly { readonly firstLsn: Lsn; readonly lastLsn: Lsn }[];
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
}

/**
 * Salvages the log in `directory` into `outDirectory`, which must be empty or missing and becomes a new log with a log
 * id of its own and `repaired.json`. The original is not changed. Rejects with `LOCKED`.
 */
export function salvageWal(
  disk: Disk,
  directory: string,
  outDirectory: string,
  options: SalvageOptions = {},
): Promise<SalvageResult> {
  return withLock(disk, directory, 'wal salvage', () => salvage(disk, directory, outDirectory, options));
}

async function salvage(
  disk: Disk,
  directory: string,
  outDirectory: string,
  options: SalvageOptions,
): Promise<SalvageResult> {
  const { clock = nodeClock(), random = nodeRandom() } = options;
  await ensureDirectory(disk, outDirectory);
  if ((await disk.list(outDirectory)).length > 0) {
    throw new RangeError(`'${outDirectory}' is not empty: a salvage needs a directory of its own`);
  }
  const plan = { directory: outDirectory, logId: toHex(random.bytes(16)), createdMs: clock.nowMs() };
  const writer = new SalvageWriter(disk, random, plan);
  const batch = new FrameBatch();
  const lost: { firstLsn: Lsn; lastLsn: Lsn }[] = [];
  let records = 0;
  let firstLsn: Lsn | undefined;
  try {
    for await (const item of walkLog(disk, directory, options)) {
      if (item.kind === 'frame' && item.records.length > 0) {
        firstLsn ??= item.firstLsn;
        records += item.records.length;
        await writer.write(item.firstLsn, item.wallTimeMs, fill(batch, item), 0);
      } else if ((item.kind === 'damage' || item.kind === 'lost') && item.lastLsn >= item.firstLsn) {
        firstLsn ??= item.firstLsn;
        lost.push({ firstLsn: item.firstLsn, lastLsn: item.lastLsn });
        await writer.writeLost(item.firstLsn, item.lastLsn - item.firstLsn + 1);
      }
    }
    const lastLsn = writer.nextLsn - 1;
    await leaveRepairMarker(disk, outDirectory, {
      mode: 'salvage',
      time: new Date(clock.nowMs()).toISOString(),
      lastLsn,
    });
    await writer.finish();
    return { records, lost, firstLsn: firstLsn ?? 1, lastLsn };
  } finally {
    await writer.close();
  }
}

function fill(batch: FrameBatch, { records, replaces }: WalFrameItem): FrameBatch {
  batch.reset();
  const payloadBytes = records.reduce((sum, { payload }) => sum + payload.length, 0);
  if (replaces === undefined) batch.beginUnit(records.length, payloadBytes);
  else batch.beginReplacement(replaces.emptied ? 0 : records.length, payloadBytes);
  for (const { payload, stream, kind } of records) batch.add(payload, stream, kind);
  batch.finish();
  return batch;
}
