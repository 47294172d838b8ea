import { type DirectoryLock, type Disk, ensureDirectory, LockError } from '@shanghai/env';
import { compressionFeature, toHex } from './core/segment-header.js';
import { nextCapacityBytes } from './core/segment-plan.js';
import { LogState } from './log-state.js';
import { type RecoveredLog, recoverLog } from './recovery/recover-log.js';
import { type ResolvedWalOptions, resolveWalOptions } from './resolve-wal-options.js';
import { SegmentedWal } from './segmented-wal.js';
import type { Wal } from './wal.js';
import { WalError } from './wal-error.js';
import { ioError } from './wal-failures.js';
import type { WalOptions } from './wal-options.js';
import { activateSegment } from './write/activate-segment.js';
import { SegmentMaker } from './write/segment-maker.js';

/**
 * Opens a log, or makes a new one where the directory holds none. A torn tail is copied aside and cut, and reported in
 * `info().tornTail` and to the listener. Rejects with `LOCKED`, `CORRUPT` (nothing was changed), `UNSUPPORTED_FORMAT`,
 * `DISK_FULL`, `IO_ERROR`; throws `RangeError` or `TypeError` for an option out of range.
 */
export async function openWal(options: WalOptions): Promise<Wal> {
  const resolved = resolveWalOptions(options);
  const { disk, directory } = resolved;
  let lock: DirectoryLock | undefined;
  try {
    await ensureDirectory(disk, directory);
    lock = resolved.lock ? await lockDirectory(disk, resolved) : undefined;
    return await openLocked(resolved, lock);
  } catch (error) {
    await lock?.release();
    throw ioError(`opening the log in '${directory}'`, error);
  }
}

async function lockDirectory(disk: Disk, options: ResolvedWalOptions): Promise<DirectoryLock> {
  try {
    const { breakLock } = options;
    return await disk.lockDirectory(options.directory, { breakLock, description: 'write-ahead log' });
  } catch (error) {
    if (!(error instanceof LockError)) throw error;
    throw new WalError('LOCKED', error.message, { cause: error, details: error.details });
  }
}

async function openLocked(options: ResolvedWalOptions, lock: DirectoryLock | undefined): Promise<Wal> {
  const { disk, clock, random, directory, durability, segmentsAhead } = options;
  const maker = new SegmentMaker({ disk, clock, random, directory, ahead: segmentsAhead });
  const found = await recoverLog(options);
  try {
    await sortOutLeftovers(disk, directory, found.ahead, maker);
    const recovered = found.segments.length > 0 ? found : await beginLog(options, maker, found);
    const { segments, tornTail } = recovered;
    const logId = segments[0]?.header.logId as string;
    const state = new LogState(directory, logId, durability, segments);
    if (tornTail !== undefined) options.listener.tornTail?.(tornTail);
    return new SegmentedWal({ options, state, maker, recovered, lock });
  } catch (error) {
    await found.file?.close().catch(() => undefined);
    throw error;
  }
}

/** Files made ahead by an earlier process are used again; more than are wanted are removed. */
async function sortOutLeftovers(disk: Disk, directory: string, ahead: readonly string[], maker: SegmentMaker) {
  for (const name of ahead) {
    if (maker.wantsSpare) maker.addSpare(`${directory}/${name}`);
    else await disk.remove(`${directory}/${name}`);
  }
}

async function beginLog(options: ResolvedWalOptions, maker: SegmentMaker, found: RecoveredLog): Promise<RecoveredLog> {
  const capacityBytes = nextCapacityBytes(options, undefined);
  const prepared = await maker.makeWhole(capacityBytes);
  const logId = options.logId ?? toHex(options.random.bytes(16));
  const features = options.compression === 'lz4' ? compressionFeature : 0;
  const plan = { logId, baseLsn: options.firstLsn, capacityBytes, features };
  const { segment, file } = await activateSegment(options, maker, prepared, plan);
  return { ...found, segments: [segment], file };
}
