import type { BitcaskListener } from '@shanghai/bitcask';
import type { Clock, Disk } from '@shanghai/env';
import type { NodeStoreOptions } from '../node-options.js';

/** What an engine is opened with. */
export interface EngineOptions {
  /** The engine's own; it exists. Covered by the data directory's lock. */
  readonly directory: string;
  /** What expiry is judged against where a call passes no horizon, and by merges. */
  readonly horizon: () => number;
  /** In bytes. */
  readonly maxKeyBytes: number;
  readonly maxValueBytes: number;
  /** Bytes of batches that may wait. */
  readonly maxQueuedBytes: number;
  /** bitcask only, but for the size of the cache and the number of open files. */
  readonly store: NodeStoreOptions;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly bitcaskListener?: BitcaskListener;
}
