/** Offline work on stores. */
import { join } from 'node:path';
import {
  type BitcaskOptions,
  bitcaskStats,
  openBitcask,
  rebuildHints,
  snapshotBitcask,
  verifyBitcask,
} from '@shanghai/bitcask';
import type { Disk } from '@shanghai/env';
import { CtlError } from './ctl-error.js';
import { underOfflineLock } from './offline-lock.js';
import type { OfflineBitcask } from './offline-tools.js';

/** The store's own offline functions, each under the locks it needs. */
export function bitcaskTools(disk: Disk): OfflineBitcask {
  const reading = { own: true, readOnly: true };
  const writing = { own: false, readOnly: false };
  const locked = async <Result>(
    directory: string,
    locks: typeof reading,
    work: () => Promise<Result>,
  ): Promise<Result> => {
    await requireStore(disk, directory);
    return underOfflineLock(disk, directory, locks, work);
  };
  return {
    verify: (directory, options) => locked(directory, reading, () => verifyBitcask(disk, directory, options)),
    stats: (directory) => locked(directory, reading, () => readStats(disk, directory)),
    merge: (directory, { signal }) => locked(directory, writing, () => mergeAll(disk, directory, signal)),
    snapshot: (directory, target, options) =>
      locked(directory, writing, async () => ({ ...(await snapshotBitcask(disk, directory, target, options)) })),
    rebuildHints: (directory, options) =>
      locked(directory, writing, async () => {
        const { rebuilt, problems } = await rebuildHints(disk, directory, options);
        return { hints: rebuilt, problems };
      }),
  };
}

/** Of the 256 counts by first byte those that are not 0: `{"32": 3}`. */
async function readStats(disk: Disk, directory: string): Promise<Readonly<Record<string, unknown>>> {
  const { keysByFirstByte, ...stats } = await bitcaskStats(disk, directory);
  const counts = [...keysByFirstByte.entries()].filter(([, keys]) => keys > 0);
  return { ...stats, keysByFirstByte: Object.fromEntries(counts) };
}

async function mergeAll(disk: Disk, directory: string, signal: AbortSignal): Promise<Record<string, number>> {
  // Read first: opening would make an empty store where there is none.
  await bitcaskStats(disk, directory);
  const store = await openBitcask(mergeOptions(disk, directory));
  try {
    return { ...(await store.merge({ force: true, signal })) };
  } finally {
    await store.close();
  }
}

/** Fails where a directory holds no store, and says what it holds instead. Data files without a manifest are damage: not said here. */
async function requireStore(disk: Disk, directory: string): Promise<void> {
  const names = await disk.list(directory);
  if (names.some((name) => name === 'MANIFEST' || name.endsWith('.data'))) return;
  const below = join(directory, 'groups', '1');
  const hint = names.includes('CURRENT')
    ? '; it is one of engine level (LevelDB), which these commands do not read'
    : (await disk.stat(join(below, 'MANIFEST'))) === undefined
      ? ''
      : `; did you mean '${below}'?`;
  throw new CtlError('NOT_FOUND', `there is no store in '${directory}'${hint}`, { details: { directory } });
}

function mergeOptions(disk: Disk, directory: string): BitcaskOptions {
  return {
    disk,
    directory,
    merge: { enabled: false, bytesPerSecond: 0 },
    // A server judges expiry by its log's time, which is not known here: nothing counts as expired.
    horizon: () => 0,
  };
}
