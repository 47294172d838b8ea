/** A log sequence number: records are numbered from 1 without gaps; 0 means "before the first". A safe integer. */
export type Lsn = number;

/**
 * An append-only log that survives crashes: segments of checksummed frames, one sync shared by all who wait
 * (group commit by natural batching), many streams in one log.
 *
 * Open → closed; or open → poisoned (a write or sync failed: everything rejects with `WAL_POISONED`, cause kept, until
 * the log is opened anew) → closed.
 */
export interface Wal extends AsyncDisposable {
  /**
   * Appends one record. Resolves to its LSN when it is as durable as the log's mode promises (`always`: a sync that
   * covers it has completed). `payload` is copied before the call returns. LSNs follow the order of the calls.
   * Rejects with `RECORD_TOO_LARGE`, `QUEUE_FULL`, `DISK_FULL` or `IO_ERROR` (nothing was written, the log goes on), `WAL_POISONED`, `WAL_CLOSED`.
   */
  append(payload: Uint8Array, options?: AppendOptions): Promise<Lsn>;
  /** Appends records that a crash keeps or loses together. Not empty. Resolves to the first record's LSN; the others follow it. */
  appendBatch(records: readonly WalRecord[]): Promise<Lsn>;
  /**
   * As `appendBatch`, of `count` records that lie one behind the other in `run`, each with its length (4 bytes, little
   * endian) before it; all of `options`' stream and kind. `run` is copied before the call returns. Rejects with `RangeError`
   * where the lengths do not fit.
   */
  appendRun(run: Uint8Array, count: number, options?: AppendOptions): Promise<Lsn>;
  /**
   * Writes a stream anew: `records`, in one frame, replace all records of `stream` that were appended before this call,
   * also those still on their way. A crash leaves the stream as it was, or as it is now. Records appended later follow. For
   * a stream that keeps old segments although little of it is needed (`stragglers` names them); no records empty the stream, for good.
   * Resolves to the LSN of the first of `records`. Replaced records are gone at once for readers, `LSN_TRIMMED` for
   * `read`; their segments go after a completed sync. Rejects as `append` does; then nothing was replaced.
   */
  rewriteStream(stream: number, records: readonly Omit<WalRecord, 'stream'>[]): Promise<Lsn>;
  /** Resolves when everything appended before is synced, in every durability mode. */
  flush(): Promise<void>;

  /** The record with this LSN, or `undefined` beyond the readable end. Rejects with `LSN_TRIMMED` before the first kept one, `CORRUPT` where damaged. */
  read(lsn: Lsn): Promise<WalEntry | undefined>;
  /** Records in LSN order, without replaced ones, up to the readable end at the time of the call (mode `always`: the synced end). */
  entries(range?: WalRange): AsyncIterable<WalEntry>;
  /**
   * Records as they lie in the log, in one piece, for who passes them on: from `from` on, at least one where there is one,
   * and whole frames where they fit. `undefined` at the readable end. Checked and decompressed. Rejects as `read` does, with
   * `CORRUPT` only where the first is damaged; with `TypeError` where a stream was written anew behind `from`.
   */
  block(range: BlockRange): Promise<WalBlock | undefined>;
  /** As `entries`, and then on with what is appended, until the signal aborts (ends without error) or the log closes. Reads from the files at the reader's pace: a slow one costs no memory. Of a poisoned log it gives what is readable and waits for the close. */
  tail(range?: TailRange): AsyncIterable<WalEntry>;
  /** The first LSN whose frame was written at or after a wall time, or the next LSN to be given out where there is none. */
  lsnAtTime(wallTimeMs: number): Promise<Lsn>;

  /** Says that `stream` no longer needs records up to and including `lsn`. Whole segments nobody needs are recycled or removed. */
  release(stream: number, lsn: Lsn): void;
  /**
   * Lets go of whole segments with records below `lsn` only, without waiting for `retainBytes` and `retainMs`. With
   * retention `'streams'` not beyond what a stream still needs. Resolves to the first LSN kept when that is done.
   */
  trim(lsn: Lsn): Promise<Lsn>;
  /** What keeps each segment, and which streams still need it, oldest first. */
  pins(): readonly SegmentPin[];
  /** Which streams keep old segments, and which of them are worth a `rewriteStream`. */
  stragglers(options?: StragglerOptions): StragglerReport;
  info(): WalInfo;

  /**
   * Waits for appends in flight, syncs, writes the covering frame, releases the lock. Idempotent. Rejects with
   * `WAL_POISONED` where its own sync or frame fails; everything is released all the same.
   */
  close(): Promise<void>;
}

/** One record to append. */
export interface WalRecord {
  readonly payload: Uint8Array;
  /** Which stream it belongs to, in [0, 2^32). Default 0. */
  readonly stream?: number;
  /** The caller's own kind of record, in [0, 255]. Default 0. */
  readonly kind?: number;
}

/** What `append` takes beside the payload: stream and kind. */
export type AppendOptions = Omit<WalRecord, 'payload'>;

/** One record read. `payload` belongs to the reader. */
export interface WalEntry {
  readonly lsn: Lsn;
  readonly stream: number;
  readonly kind: number;
  /** Wall time of its frame in milliseconds since 1970; never falls along the log. */
  readonly wallTimeMs: number;
  readonly payload: Uint8Array;
  /** It came with others of its frame in the place of everything earlier in its stream: who follows the stream begins anew with the first of them. */
  readonly replaces?: true;
}

/** Which records. Bounds are LSNs, `from` inclusive (default: the first kept), `to` exclusive (default: the end). */
export interface WalRange {
  readonly from?: Lsn;
  readonly to?: Lsn;
  /** Only records of this stream. */
  readonly stream?: number;
  /** Its abort ends the reading with its reason as the error. */
  readonly signal?: AbortSignal;
}

/** Which records make a block. */
export interface BlockRange {
  readonly from: Lsn;
  /** Exclusive. Default: the end. */
  readonly to?: Lsn;
  /** Their bytes with the 12 of each record's header; ≥ 1. */
  readonly maxBytes: number;
  /** Where to put them if it has room, so that who reads many blocks one after the other need not have a new buffer for each. */
  readonly into?: Uint8Array;
}

/** Records that follow each other: each u32 LE length, u32 LE stream, u8 kind, three zero bytes, payload. */
export interface WalBlock {
  readonly firstLsn: Lsn;
  /** ≥ 1. */
  readonly count: number;
  /** Belongs to the reader. A part of `into` where that had room. */
  readonly bytes: Uint8Array;
}

/** Where a tail begins, and which records it gives. */
export interface TailRange {
  readonly from?: Lsn;
  readonly stream?: number;
  readonly signal?: AbortSignal;
}

/** Why a segment is still there. */
export interface SegmentPin {
  readonly segment: string;
  readonly bytes: number;
  /** So many of them, from the beginning, hold what is written, and are never written again. */
  readonly finalBytes: number;
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  /** Streams with records here above their released mark. */
  readonly streams: readonly { readonly stream: number; readonly highestLsn: Lsn; readonly released: Lsn }[];
  readonly heldBy: SegmentHold;
}

/** Why a segment does not go: it is written to; a stream needs it; `retainBytes` or `retainMs` keep it; a read is under way; an older one is held; nothing, it is about to go. */
export type SegmentHold = 'active' | 'stream' | 'limit' | 'reader' | 'older' | 'nothing';

/** What a stream may cost to be called worth rewriting. */
export interface StragglerOptions {
  /** Bytes written anew, as a share of the bytes let go, in (0, 1]. Default 0.25. */
  readonly maxShare?: number;
  /** A stream with more than this is not rewritten: it would be one frame. Default 8 MiB. */
  readonly maxStreamBytes?: number;
}

/** A stream that needs sealed segments. */
export interface Straggler {
  readonly stream: number;
  /** The oldest segment it needs, and how many it needs. */
  readonly oldestSegment: string;
  readonly segments: number;
  /** Bytes of its records in all segments it needs: what rewriting it takes, at most. */
  readonly bytes: number;
}

/** Who keeps old segments, and what to do about it. */
export interface StragglerReport {
  /** Streams that need sealed segments, by the oldest segment they need. */
  readonly streams: readonly Straggler[];
  /** Streams that are worth rewriting, all of them or none; empty where it is not worth it. */
  readonly recommended: readonly number[];
  /** What rewriting those writes, at most, and what it lets go of. */
  readonly rewriteBytes: number;
  readonly freedBytes: number;
  readonly freedSegments: number;
}

/** What the log is and holds now. */
export interface WalInfo {
  readonly directory: string;
  readonly logId: string;
  readonly durability: WalDurability;
  readonly state: 'open' | 'poisoned' | 'closed';
  /** First LSN still kept, or the next one where the log is empty. */
  readonly firstLsn: Lsn;
  /** Last LSN given to an append that was written; 0 where there is none. */
  readonly lastLsn: Lsn;
  /** Last LSN covered by a completed sync. */
  readonly durableLsn: Lsn;
  readonly segments: number;
  readonly bytes: number;
  readonly queuedBytes: number;
  /** Since opening: payloads of the records that were taken. */
  readonly appendedBytes: number;
  readonly syncs: number;
  readonly lastSyncMs: number;
  /** Since opening: bytes of the frames that were tried, bytes they took, and how many frames were compressed or left raw. Zero without compression. */
  readonly compression: {
    readonly rawBytes: number;
    readonly storedBytes: number;
    readonly compressedFrames: number;
    readonly skippedFrames: number;
  };
  /** What opening repaired, or `undefined`. */
  readonly tornTail: TornTail | undefined;
}

/** A torn tail that opening cut off: the bytes in [offset, offset + bytes) of `segment` were copied to `copy` first. */
export interface TornTail {
  readonly segment: string;
  readonly offset: number;
  readonly bytes: number;
  readonly copy: string;
}

/** `always`: acknowledged after the sync. `interval`: after the write, synced every `syncIntervalMs`. `never`: synced at rotation, flush and close. */
export type WalDurability = 'always' | 'interval' | 'never';
