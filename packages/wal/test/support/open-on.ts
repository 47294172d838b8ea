import { createSeededRandom } from '@shanghai/env';
import { createManualClock, type FaultDisk, type ManualClock } from '@shanghai/env/testing';
import { openWal, type Wal, type WalOptions } from '../../src/index.js';

/** Opens a log with small segments on a simulated disk; ids are new on every disk. */
export function openOn(disk: FaultDisk, options: Partial<WalOptions> = {}, clock?: ManualClock): Promise<Wal> {
  return openWal({
    directory: '/log',
    disk,
    clock: clock ?? createManualClock(),
    random: createSeededRandom(disk.seed * 1000 + disk.steps),
    segmentBytes: 65_536,
    firstSegmentBytes: 8192,
    ...options,
  });
}
