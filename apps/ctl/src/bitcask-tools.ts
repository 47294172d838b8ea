/** Offline work on stores. */
import {
  type BitcaskOptions,
  bitcaskStats,
  openBitcask,
  rebuildHints,
  snapshotBitcask,
  verifyBitcask,
} from '@shanghai/bitcask';
import type { Disk } from '@shanghai/env';
import { underOfflineLock } from './offline-lock.js';
import type { OfflineBitcask } from './offline-tools.js';

/** The store's own offline functions, each under the locks it needs. */
export function bitcaskTools(disk: Disk): OfflineBitcask {
  const reading = { own: true, readOnly: true };
  const writing = { own: false, readOnly: false };
  return {
    verify: (directory, options) =>
      underOfflineLock(disk, directory, reading, () => verifyBitcask(disk, directory, options)),
    stats: (directory) =>
      underOfflineLock(disk, directory, reading, async () => ({ ...(await bitcaskStats(disk, directory)) })),
    merge: (directory, { signal }) =>
      underOfflineLock(disk, directory, writing, async () => {
        // Read first: opening would make an empty store where there is none.
        await bitcaskStats(disk, directory);
        const store = await openBitcask(mergeOptions(disk, directory));
        try {
          return { ...(await store.merge({ force: true, signal })) };
        } finally {
          await store.close();
        }
      }),
    snapshot: (directory, target, options) =>
      underOfflineLock(disk, directory, writing, async () => ({
        ...(await snapshotBitcask(disk, directory, target, options)),
      })),
    rebuildHints: (directory, options) =>
      underOfflineLock(disk, directory, writing, async () => {
        const { rebuilt, problems } = await rebuildHints(disk, directory, options);
        return { hints: rebuilt, problems };
      }),
  };
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
