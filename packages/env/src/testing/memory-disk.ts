import type { Disk } from '../disk.js';
import type { FaultDisk } from './fault-disk.js';
import { SimulatedDisk } from './simulated-disk.js';
import { SimulatedVolume } from './simulated-volume.js';

/** A disk in memory and what tests see of it. */
export interface MemoryDisk extends Disk, Pick<FaultDisk, 'contents' | 'setContents' | 'files' | 'openFiles'> {}

/** An empty disk in memory that never fails and never forgets. Paths begin at the root whether or not they begin with `/`. */
export function createMemoryDisk(): MemoryDisk {
  const volume = new SimulatedVolume(() => 0);
  return new SimulatedDisk({ seed: 0, stream: 0, clock: undefined, volume, losesUnsynced: false, keepsTrace: false });
}
