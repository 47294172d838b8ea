import type { Clock, Disk, Random } from '@shanghai/env';
import type { BitcaskDurability } from './bitcask.js';
import type { BitcaskListener } from './bitcask-events.js';

/** What `openBitcask` takes. Only `directory` is needed. */
export interface BitcaskOptions {
  readonly directory: string;
  /** Default `'always'`: a put resolves after the sync that covers it. */
  readonly durability?: BitcaskDurability;
  /** Mode `interval` only. Default 1,000. */
  readonly syncIntervalMs?: number;
  /** Segments are sealed at this size, in [4 KiB, 1 GiB]; a larger batch gets a segment of its own. Default 100 MiB. */
  readonly segmentBytes?: number;
  /** Largest key, in [1, 1 MiB]. Default 65,536. */
  readonly maxKeyBytes?: number;
  /** Largest value, in [1, 1 GiB]. Default 16 MiB. */
  readonly maxValueBytes?: number;
  /** Bytes that may wait for the writer; beyond it writes reject with `QUEUE_FULL`. In [64 KiB, 1 GiB]. Default 64 MiB. */
  readonly maxQueuedBytes?: number;
  /** What expiry is judged against where a call passes no horizon. Default: the clock's wall time. */
  readonly horizon?: () => number;
  readonly compression?: CompressionOptions;
  readonly cache?: CacheOptions;
  readonly merge?: MergeOptions;
  readonly keydirSnapshot?: KeydirSnapshotOptions;
  /** Checkpoints made by themselves. Default: every 60 s, never by operations. */
  readonly checkpointIntervalMs?: number;
  readonly checkpointOperations?: number;
  /** Data files held open for reading, ≥ 4. Default 256. */
  readonly maxOpenFiles?: number;
  /** Memory for positions that open iterators still need. Default 64 MiB. */
  readonly snapshotMemoryBytes?: number;
  /** Take the directory lock. Default true; false only where the caller's own lock covers the directory. */
  readonly lock?: boolean;
  /** Take over a lock that another host left. Default false; only where that host is surely down. */
  readonly breakLock?: boolean;
  /** Refuse every write; take no lock on the directory. Default false. */
  readonly readOnly?: boolean;
  readonly listener?: BitcaskListener;
  readonly disk?: Disk;
  readonly clock?: Clock;
  /** Where ids of stores and segments come from. */
  readonly random?: Random;
}

/** Values of at least `minBytes` are stored compressed where that saves at least a tenth. */
export interface CompressionOptions {
  /** Default `'none'`. */
  readonly codec?: 'none' | 'lz4' | 'gzip';
  /** gzip only, in [1, 9]. Default 1. */
  readonly level?: number;
  /** Default 1,024. */
  readonly minBytes?: number;
}

/** Values kept in memory after a read. */
export interface CacheOptions {
  /** Default 0: no cache. */
  readonly maxBytes?: number;
  /** Default 300,000. */
  readonly ttlMs?: number;
}

/** When the key directory is written to a file, from which the next opening loads it. */
export interface KeydirSnapshotOptions {
  /** Default true: at close and in the background. False: none is written or read. */
  readonly enabled?: boolean;
  /** Stores with fewer keys do without: their hints are read as fast. Default 100,000. */
  readonly minKeys?: number;
  /**
   * In the background it is written after so many writes and records moved by merges, at least as many as there are keys.
   * More often costs processor time, less often a longer opening after a crash. 0 = only at close. Default 1,000,000.
   */
  readonly everyOperations?: number;
}

/** When and how fast dead records are merged away in the background. */
export interface MergeOptions {
  /** Default true. */
  readonly enabled?: boolean;
  /** A segment is worth merging when this share of its bytes is dead, in (0, 1]. Default 0.3. */
  readonly staleRatio?: number;
  /** At least so many segments are worth it before a merge starts. Default 3. */
  readonly minSegments?: number;
  /** Fewer segments are enough where together they hold so many dead bytes. Default 512 MiB. */
  readonly deadBytes?: number;
  /** Two are enough where this share of the whole store is dead, in (0, 1]. Default 0.5. */
  readonly storeStaleRatio?: number;
  /** Read plus written bytes a second. Default 50 MiB. 0 = unlimited. */
  readonly bytesPerSecond?: number;
  /** How often the triggers are looked at. Default 10,000. */
  readonly checkIntervalMs?: number;
  /** Hours of the UTC day in which merges may run, [from, to), over midnight where `from` is above `to`. Not empty. Default: all. */
  readonly window?: { readonly fromHour: number; readonly toHour: number };
}
