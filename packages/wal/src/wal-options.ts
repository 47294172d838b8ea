import type { Clock, Disk, Random } from '@shanghai/env';
import type { WalDurability } from './wal.js';
import type { WalListener } from './wal-events.js';

/** What `openWal` takes. Only `directory` is needed. */
export interface WalOptions {
  /** The log's own directory; made if missing. */
  readonly directory: string;
  /** Default `'always'`. The others acknowledge before the sync and can lose the last acknowledged records in a power failure (never a middle one). */
  readonly durability?: WalDurability;
  /** Mode `interval` only. Default 100. Raising it loses more at a power failure, lowering it costs syncs. */
  readonly syncIntervalMs?: number;
  /** Size a segment grows to, in [64 KiB, 1 GiB]. Default 64 MiB. Larger ones hold more dead records, smaller ones cost files. */
  readonly segmentBytes?: number;
  /** Size of the first segment; each next one doubles up to `segmentBytes`. Default min(1 MiB, segmentBytes). */
  readonly firstSegmentBytes?: number;
  /** A segment that is not empty is sealed at this age. Default 3,600,000 (1 h). */
  readonly segmentAgeMs?: number;
  /** Segments made ahead (recycled, else zero-filled). Default 1. 0 = none: files grow, for logs that are not synced on the append path. */
  readonly segmentsAhead?: number;
  /** Largest payload of a record. Default 16 MiB + 64 KiB. */
  readonly maxRecordBytes?: number;
  /** Payload bytes that may wait for the writer; beyond it appends reject with `QUEUE_FULL`. Default 64 MiB. */
  readonly maxQueuedBytes?: number;
  /** How long a lone append waits for company. Default 0: not at all. */
  readonly lingerMs?: number;
  /** `'async'` (default) never blocks the caller's thread; `'blocking'` does, for scripts and simulators: never in a server. */
  readonly writer?: 'async' | 'blocking';
  /** `'lz4'`: frames from 8 KiB on are compressed where that saves a tenth. Default `'none'`. Saves disk and costs processor time; one record at a time is never compressed below 8 KiB. */
  readonly compression?: 'none' | 'lz4';
  /**
   * What lets a whole segment go, from the oldest on. `'streams'` (default): every stream released what it has there
   * (or was replaced), and no limit below keeps it for later readers. `'limits'`: a limit below is exceeded, whatever streams
   * need: for a plain log that nobody releases. The active segment never goes.
   */
  readonly retention?: 'streams' | 'limits';
  /** A segment may go when those behind it hold this many bytes. Without limits, `'streams'` lets go at once. */
  readonly retainBytes?: number;
  /** A segment may go when its last frame was written this long ago (wall time). With both limits the first one exceeded counts. */
  readonly retainMs?: number;
  /** Take the directory lock. Default true; false only where the caller holds a lock that covers this directory. */
  readonly lock?: boolean;
  /** Take over a `lock.json` that another host left. Default false. */
  readonly breakLock?: boolean;
  readonly listener?: WalListener;
  /** Defaults: the Node forms. */
  readonly disk?: Disk;
  readonly clock?: Clock;
  /** Id that a new log gets: 32 hexadecimal digits. Default: drawn. An owner that gives it can tell its log from another's by `info().logId`. */
  readonly logId?: string;
  /** LSN that the first record of a new log gets, ≥ 1. Default 1. Where the log exists it says nothing. */
  readonly firstLsn?: number;
  /** Draws the ids of logs and segments. A seeded form must not give the same numbers at two openings of one directory. */
  readonly random?: Random;
}
