/**
 * What the offline commands need from the stores: work on a directory that no server has open. A narrow face of
 * `@shanghai/wal` and `@shanghai/bitcask`, so that the commands can be run against fakes. Everything here takes the
 * directory's lock first and fails with `LOCKED` where a server holds it.
 */

/** Inspection and repair of directories. */
export interface OfflineTools {
  readonly wal: OfflineWal;
  readonly bitcask: OfflineBitcask;
}

/** On a directory of a write-ahead log. */
export interface OfflineWal {
  verify(directory: string, options: OfflineOptions): Promise<WalReport>;
  /** Records in order, the damaged end told by an error. */
  dump(directory: string, options: DumpOptions): AsyncIterable<DumpedRecord>;
  /** Cuts what follows the last good frame of the last segment; a copy is kept. */
  truncateTail(directory: string, options: OfflineOptions): Promise<RepairReport>;
  /** Copies every readable record into a new log. The damaged directory is not changed. */
  salvage(directory: string, outDirectory: string, options: OfflineOptions): Promise<RepairReport>;
}

/** On a directory of a key-value store. */
export interface OfflineBitcask {
  verify(directory: string, options: OfflineOptions): Promise<StoreReport>;
  stats(directory: string): Promise<Readonly<Record<string, unknown>>>;
  merge(directory: string, options: OfflineOptions): Promise<Readonly<Record<string, number>>>;
  rebuildHints(directory: string, options: OfflineOptions): Promise<{ readonly hints: number }>;
}

/** What long work takes. */
export interface OfflineOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (bytesDone: number, bytesTotal: number) => void;
}

/** Which records to dump: LSNs, `from` inclusive, `to` exclusive. */
export interface DumpOptions {
  readonly from?: number;
  readonly to?: number;
  readonly stream?: number;
  readonly signal: AbortSignal;
}

/** Damage: where and what. */
export interface Damage {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
  readonly what: string;
}

/** What verifying a log found. */
export interface WalReport {
  readonly segments: number;
  readonly records: number;
  readonly bytes: number;
  readonly firstLsn: number;
  readonly lastLsn: number;
  /** A torn tail is not damage: opening cuts it. */
  readonly tornTail?: Damage;
  readonly problems: readonly Damage[];
}

/** What verifying a store found. */
export interface StoreReport {
  readonly segments: number;
  readonly records: number;
  readonly bytes: number;
  readonly problems: readonly Damage[];
}

/** One record of a dump. */
export interface DumpedRecord {
  readonly lsn: number;
  readonly stream: number;
  readonly kind: number;
  readonly wallTimeMs: number;
  readonly payload: Uint8Array;
}

/** What a repair did. */
export interface RepairReport {
  readonly records: number;
  /** Bytes given up. */
  readonly bytesDropped: number;
  /** Where what was given up, or the original, is kept. */
  readonly keptAt: string;
}
