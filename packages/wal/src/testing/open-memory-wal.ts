import { createSeededRandom } from '@shanghai/env';
import { createManualClock, createMemoryDisk } from '@shanghai/env/testing';
import { openWal } from '../open-wal.js';
import type { Wal } from '../wal.js';
import type { WalOptions } from '../wal-options.js';

/**
 * A log in memory: the real one on a memory disk, so it keeps every promise but durability. With small segments, a
 * clock that stands and a fixed seed, unless `options` say otherwise.
 */
export function openMemoryWal(options: Partial<WalOptions> = {}): Promise<Wal> {
  return openWal({
    directory: '/wal',
    disk: createMemoryDisk(),
    clock: createManualClock(),
    random: createSeededRandom(1),
    segmentBytes: 65_536,
    firstSegmentBytes: 8192,
    ...options,
  });
}
