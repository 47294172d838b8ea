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
  /** Records in order, and what is damaged between them. */
  dump(directory: string, options: DumpOptions): AsyncIterable<DumpedItem>;
  /** Cuts the log at its first damage; copies are kept. Nothing is changed where nothing is damaged. */
  truncateTail(directory: string, options: OfflineOptions): Promise<RepairReport>;
  /** Copies every readable record into a new log. The damaged directory is not changed. */
  salvage(directory: string, outDirectory: string, options: OfflineOptions): Promise<SalvageReport>;
}

/** On a directory of a key-value store. */
export interface OfflineBitcask {
  verify(directory: string, options: OfflineOptions): Promise<StoreReport>;
  stats(directory: string): Promise<Readonly<Record<string, unknown>>>;
  merge(directory: string, options: OfflineOptions): Promise<Readonly<Record<string, number>>>;
  /** Into `target`, absent or empty: hard links where the file system gives them. */
  snapshot(directory: string, target: string, options: OfflineOptions): Promise<Readonly<Record<string, number>>>;
  /** `onProgress` counts segments. A segment that cannot be read is a problem; the others get their hints. */
  rebuildHints(directory: string, options: OfflineOptions): Promise<HintReport>;
}

/** What long work takes. */
export interface OfflineOptions {
  readonly signal: AbortSignal;
  /** In bytes unless the call says otherwise. */
  readonly onProgress: (done: number, total: number) => void;
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
  /** Absent where the length is not known. */
  readonly bytes?: number;
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
  readonly tornTail: { readonly segment: string; readonly offset: number } | undefined;
  /** Records that an earlier salvage could not read. LSNs, inclusive. */
  readonly lost: readonly LsnRange[];
  readonly problems: readonly Damage[];
}

/** What verifying a store found. */
export interface StoreReport {
  readonly segments: number;
  readonly records: number;
  readonly bytes: number;
  readonly problems: readonly Damage[];
}

/** What rebuilding hints did. */
export interface HintReport {
  readonly hints: number;
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

/** One thing of a dump. */
export type DumpedItem = DumpedRecord | { readonly damage: Damage };

/** LSNs, inclusive. */
export interface LsnRange {
  readonly firstLsn: number;
  readonly lastLsn: number;
}

/** What cutting a log did. */
export interface RepairReport {
  /** False where nothing was damaged; then nothing was changed. */
  readonly changed: boolean;
  /** Where it was cut. */
  readonly damage?: Damage;
  /** Files in the directory that hold what was taken away. */
  readonly copies: readonly string[];
  /** Last LSN the log keeps. */
  readonly lastLsn: number;
}

/** What a salvage saved. */
export interface SalvageReport extends LsnRange {
  readonly records: number;
  readonly lost: readonly LsnRange[];
}
