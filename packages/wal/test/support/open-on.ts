import { createSeededRandom } from '@shanghai/env';
import { createManualClock, type FaultDisk, type ManualClock } from '@shanghai/env/testing';
import { openWal, type Wal, type WalOptions } from '../../src/index.js';

/** Ids must never come twice on a disk: stale frames of a recycled file would be taken for new ones. */
let openings = 0;

/** Opens a log with small segments on a simulated disk. */
export function openOn(disk: FaultDisk, options: Partial<WalOptions> = {}, clock?: ManualClock): Promise<Wal> {
  return openWal({
    directory: '/log',
    disk,
    clock: clock ?? createManualClock(),
    random: createSeededRandom(++openings),
    segmentBytes: 65_536,
    firstSegmentBytes: 8192,
    ...options,
  });
}
