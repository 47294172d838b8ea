/**
 * A key-value store after Bitcask (Sheehy, Smith 2010): every write is appended to a segment file, an ordered key
 * directory in memory (off the V8 heap) says where each key's newest value lies. Values live on disk.
 *
 * Keys and values are bytes; order is bytewise. Writes are serialised in the order of the calls and become visible,
 * all of a batch at once, when their promise resolves (or just before). Expiry is judged against a horizon that the
 * caller passes (`horizonMs`, milliseconds since 1970): a key is gone when its `expiresAtMs` ≤ horizon. Where a call
 * passes none, the store's `horizon` option is asked.
 */
export interface Bitcask extends AsyncDisposable {
  /** The value, a copy of the caller's own, or `undefined`. Rejects with `CORRUPT` where the record is damaged. */
  get(key: Uint8Array, options?: ReadOptions): Promise<Uint8Array | undefined>;
  /** `get` blocking the thread: about a microsecond where the page is cached, a disk read where not. */
  getSync(key: Uint8Array, options?: ReadOptions): Uint8Array | undefined;
  /** Value and what the store knows of it. */
  getEntry(key: Uint8Array, options?: ReadOptions): Promise<BitcaskEntry | undefined>;
  getEntrySync(key: Uint8Array, options?: ReadOptions): BitcaskEntry | undefined;
  /** One result per key, in order. */
  getMany(keys: readonly Uint8Array[], options?: ReadOptions): Promise<(Uint8Array | undefined)[]>;
  /** Answers from the key directory where the key has no expiry. */
  has(key: Uint8Array, options?: ReadOptions): boolean;

  /** Resolves when as durable as the mode promises. Rejects with `CONDITION_FAILED` where `ifRevision` does not hold (details: current). */
  put(key: Uint8Array, value: Uint8Array, options?: PutOptions): Promise<WriteResult>;
  /** Resolves to whether there was a live key. */
  delete(key: Uint8Array, options?: DeleteOptions): Promise<boolean>;
  /** All or nothing, also after a crash. Not empty. A key may occur more than once; the last wins. */
  batch(operations: readonly BatchOperation[], options?: BatchOptions): Promise<WriteResult>;

  /**
   * Live keys of a range in order, as they were when iteration began. Writes go on meanwhile; where too many
   * positions were overwritten to keep (`snapshotMemoryBytes`) the iterator fails with `SNAPSHOT_TOO_OLD`.
   */
  range(options?: RangeOptions): BitcaskRange;
  /** Number of live keys in the key directory; expired ones count until they are merged away. */
  readonly size: number;

  /**
   * Makes durable what was acknowledged before the call, in every mode; writes that have not resolved may be missing.
   * Resolves to the last sequence that is durable now.
   */
  checkpoint(): Promise<{ readonly durableSequence: number }>;
  /** Merges what is worth it (`force`: every sealed segment, sealing the active one first). Resolves to what was done. */
  merge(options?: { readonly force?: boolean; readonly signal?: AbortSignal }): Promise<MergeResult>;
  /** Stops background merging until `resumeMerge`; a running merge pauses between records. */
  pauseMerge(): void;
  resumeMerge(): void;
  /** Limits merges to so many bytes read plus written a second from now on, a running one too. An integer ≥ 0; 0 = unlimited. */
  setMergeRate(bytesPerSecond: number): void;
  /** Reads every record of every segment and every hint file; reports, never changes. */
  verify(options?: VerifyOptions): Promise<VerifyReport>;
  /**
   * Puts the store as it is at one place of its order of writes into `directory`, which must be absent or empty
   * (`TARGET_NOT_EMPTY`): hard links to sealed segments, copies where the file system cannot link. Holds everything that
   * was acknowledged before the call. Writes wait only while the active segment is sealed. The result is a store of its
   * own that later writes and merges here do not touch; durable when this resolves. A rejection leaves nothing there
   * that could be opened.
   */
  snapshot(directory: string, options?: SnapshotOptions): Promise<SnapshotResult>;
  stats(): BitcaskStats;
  /** Waits for writes in flight, syncs, releases the lock. Idempotent. */
  close(): Promise<void>;
}

/** What a read takes. */
export interface ReadOptions {
  readonly horizonMs?: number;
}

/** What a put takes. */
export interface PutOptions extends ReadOptions {
  /** Milliseconds since 1970, > 0. Default: never. */
  readonly expiresAtMs?: number;
  /** Only if the key's current sequence is this; 0 = only if there is no live key. */
  readonly ifRevision?: number;
}

/** What a delete takes. */
export type DeleteOptions = Omit<PutOptions, 'expiresAtMs'>;

/** What a batch takes. A batch has no conditions. */
export interface BatchOptions extends ReadOptions {
  /** Sync before resolving although the mode would not (never less than the mode promises). Default false. */
  readonly sync?: boolean;
}

/** One change of a batch. Its buffers are the caller's again as soon as the call has returned. */
export type BatchOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array; readonly expiresAtMs?: number }
  | { readonly type: 'delete'; readonly key: Uint8Array };

/** `sequence`: the write's place in the store's order, from 1; a batch reports its last one. */
export interface WriteResult {
  readonly sequence: number;
}

/**
 * A live key. Its buffers are the caller's own; small ones may be views of a larger block that the caller alone has
 * (8 KiB for single reads, up to 256 KiB for ranges): copy what is to be kept for long when the rest is not.
 */
export interface BitcaskEntry {
  readonly key: Uint8Array;
  /** Empty with `keysOnly`. */
  readonly value: Uint8Array;
  readonly sequence: number;
  /** 0 = never. */
  readonly expiresAtMs: number;
}

/**
 * The entries of a range, one by one or in pages. Each iteration sees the store as it was when it began, and holds
 * that until it ends, is left, fails or is aborted. An entry that is damaged fails the iteration at its place, after
 * those before it. The event loop turns between pages.
 */
export interface BitcaskRange extends AsyncIterable<BitcaskEntry> {
  /** Up to 1,024 entries at a time, never none: a promise for each page instead of one for each entry. */
  pages(): AsyncIterable<readonly BitcaskEntry[]>;
}

/** Which keys a range gives, and how. */
export interface RangeOptions extends ReadOptions {
  /** Inclusive. */
  readonly start?: Uint8Array;
  /** Exclusive. */
  readonly end?: Uint8Array;
  /** Only keys that begin so; narrows `start` and `end`. */
  readonly prefix?: Uint8Array;
  /** From the end to the start. Default false. */
  readonly reverse?: boolean;
  /** At most so many entries, ≥ 0. Default: all. */
  readonly limit?: number;
  readonly keysOnly?: boolean;
  readonly signal?: AbortSignal;
}

/** What a merge did; zeros where nothing was worth it. Bytes are whole files. */
export interface MergeResult {
  readonly segmentsMerged: number;
  readonly recordsCopied: number;
  readonly tombstonesDropped: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly durationMs: number;
}

/** What a snapshot takes. */
export interface SnapshotOptions {
  readonly signal?: AbortSignal;
  /** After each file, and after each mebibyte of a file that has to be copied. */
  readonly onProgress?: (bytesDone: number, bytesTotal: number) => void;
}

/** What a snapshot holds. */
export interface SnapshotResult {
  /** Segments and hints, the manifest not counted. */
  readonly files: number;
  /** Length of these files. */
  readonly bytes: number;
  /** Its last write: everything up to this sequence is in it, nothing behind. */
  readonly sequence: number;
  /** Files that share their bytes with the store, and files that take space of their own. */
  readonly linked: number;
  readonly copied: number;
}

/** A merge that runs. Bytes are those of records; what is dead is not read, so `bytesRead` ends below `bytesTotal`. */
export interface MergeProgress {
  /** Which trigger began it; a forced one says `stale`. */
  readonly reason: string;
  readonly segments: number;
  /** Of the inputs' files. */
  readonly bytesTotal: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Wall time in milliseconds since 1970. */
  readonly startedAtMs: number;
  /** Copying happens on a thread of its own. */
  readonly onThread: boolean;
}

/** Why the last merge that failed did. */
export interface MergeFailureReport {
  readonly message: string;
  /** Wall time in milliseconds since 1970. */
  readonly atMs: number;
}

/** What a verification takes. */
export interface VerifyOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (bytesDone: number, bytesTotal: number) => void;
}

/** What a verification found; sound where `problems` is empty. */
export interface VerifyReport {
  readonly segments: number;
  readonly records: number;
  readonly bytes: number;
  /** Puts, live or overwritten, by how their values are stored. */
  readonly byCodec: Readonly<Record<'none' | 'lz4' | 'gzip', StoredValues>>;
  readonly problems: readonly VerifyProblem[];
}

/** One thing that is wrong: `bytes` from `offset` of `file` on are in doubt. */
export interface VerifyProblem {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
  readonly what: string;
}

/** The numbers of a store at one moment. Bytes unless named otherwise. */
export interface BitcaskStats {
  readonly keys: number;
  /** Of `keys`, how many begin with each byte; 256 numbers. */
  readonly keysByFirstByte: Float64Array;
  readonly segments: number;
  readonly liveBytes: number;
  readonly deadBytes: number;
  readonly staleRatio: number;
  readonly keydirBytes: number;
  readonly lastSequence: number;
  readonly durableSequence: number;
  readonly durability: BitcaskDurability;
  readonly lastCheckpointMs: number;
  readonly cache: { readonly entries: number; readonly bytes: number; readonly hits: number; readonly misses: number };
  readonly openFiles: number;
  readonly merge: {
    readonly state: 'idle' | 'running' | 'paused';
    /** Finished ones, since opening. */
    readonly runs: number;
    readonly failures: number;
    readonly bytesReclaimed: number;
    /** Of records, by finished and failed merges since opening. */
    readonly bytesRead: number;
    /** With `BitcaskStats.bytesWritten` this tells the write amplification: (puts + merges) / puts. */
    readonly bytesWritten: number;
    /** The limit now; 0 = none. */
    readonly bytesPerSecond: number;
    readonly last: MergeResult | undefined;
    readonly lastFailure: MergeFailureReport | undefined;
    /** The running merge; its numbers move on. */
    readonly progress: MergeProgress | undefined;
    /** Why dead bytes are still there, in words and numbers: open snapshots, damaged segments, tombstones, below threshold, paused, outside the window. */
    readonly pinnedBy: readonly string[];
  };
  readonly compression: CompressionStats;
  readonly bytesWritten: number;
  /** How this opening found the keys. */
  readonly opened: OpenedFrom;
}

/** How many segments an opening took from the snapshot of the key directory, from their hints, and by reading them; how long it took. */
export interface OpenedFrom {
  readonly snapshotSegments: number;
  readonly hintSegments: number;
  readonly scannedSegments: number;
  readonly durationMs: number;
}

/**
 * What compressing values did since the store was opened. Merges carry values over as they are and do not count. It is
 * not kept across openings: `verify` counts what lies on disk, by codec.
 */
export interface CompressionStats {
  readonly codec: 'none' | 'lz4' | 'gzip';
  /** gzip's; 0 for the others. */
  readonly level: number;
  /** Values stored compressed. */
  readonly packed: number;
  /** Values tried that saved less than a tenth and are stored as they are. */
  readonly skipped: number;
  /** Values below `minBytes`, not tried. */
  readonly small: number;
  /** Bytes of the values tried, `packed` and `skipped`, and what is stored of them. */
  readonly rawBytes: number;
  readonly storedBytes: number;
  /** Time between handing values to the codec and getting them back; with large ones that is another thread's time. */
  readonly packMs: number;
}

/** Values of live and dead records, as they are stored. */
export interface StoredValues {
  readonly values: number;
  readonly rawBytes: number;
  readonly storedBytes: number;
}

/** When writes are synced: before they resolve, every `syncIntervalMs`, or at rotation, checkpoint and close only. In each a crash leaves a prefix of the order of writes. */
export type BitcaskDurability = 'always' | 'interval' | 'never';
