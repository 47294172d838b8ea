import type { Clock } from '../clock.js';
import type { FaultDisk } from './fault-disk.js';
import { SimulatedDisk } from './simulated-disk.js';
import { SimulatedVolume } from './simulated-volume.js';

/** What `createFaultDisk` takes. */
export interface FaultDiskOptions {
  /** Decides every draw; any safe integer. Print it when a test fails. */
  readonly seed: number;
  /** For rules of kind `delay` and for birth times. Without it the former are refused and the latter are 0. */
  readonly clock?: Clock;
  /** Default true. False: `trace` stays empty, for runs of millions of steps. */
  readonly keepsTrace?: boolean;
}

/** An empty disk that loses and damages data: see `FaultDisk`. */
export function createFaultDisk({ seed, clock, keepsTrace = true }: FaultDiskOptions): FaultDisk {
  const volume = new SimulatedVolume(() => clock?.nowMs() ?? 0);
  return new SimulatedDisk({ seed, stream: seed, clock, volume, losesUnsynced: true, keepsTrace });
}
