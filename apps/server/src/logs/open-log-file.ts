import { type Clock, type Disk, ensureDirectory, type Random } from '@shanghai/env';
import { openWal, type Wal } from '@shanghai/wal';

/** What every log's files are opened with. */
export interface LogFileOptions {
  readonly disk: Disk;
  readonly random: Random;
  /** Largest record, and what may wait for the writer of one log. */
  readonly maxRecordBytes: number;
  readonly maxQueuedBytes: number;
  readonly segmentBytes: number;
  readonly firstSegmentBytes: number;
}

/** Opens a log's files, making them where there are none, to begin with `firstSequence`. They are not synced by themselves. Rejects with `WalError`. */
export async function openLogFile(
  options: LogFileOptions,
  directory: string,
  logId: string,
  clock: Clock,
  firstSequence = 1,
): Promise<Wal> {
  const { disk, random, segmentBytes, firstSegmentBytes, maxRecordBytes, maxQueuedBytes } = options;
  await ensureDirectory(disk, directory);
  return openWal({
    directory,
    logId,
    firstLsn: firstSequence,
    durability: 'never',
    // Files grow, and are never used again: what is written of them stays as it is, also under another name.
    segmentsAhead: 0,
    lock: false,
    segmentBytes,
    firstSegmentBytes,
    maxRecordBytes,
    maxQueuedBytes,
    disk,
    random,
    clock,
  });
}
