import type { DirectoryLock } from '@shanghai/env';
import type {
  BatchOperation,
  BatchOptions,
  Bitcask,
  BitcaskEntry,
  BitcaskRange,
  BitcaskStats,
  DeleteOptions,
  MergeResult,
  PutOptions,
  RangeOptions,
  ReadOptions,
  SnapshotOptions,
  SnapshotResult,
  VerifyOptions,
  VerifyReport,
  WriteResult,
} from './bitcask.js';
import { BitcaskError } from './bitcask-error.js';
import type { Checkpoints } from './checkpoints.js';
import type { ValueCompressor } from './compression.js';
import type { HintJobs } from './hint-jobs.js';
import type { KeydirSnapshots } from './keydir-snapshots.js';
import { ManifestUnchanged } from './manifest-file.js';
import type { MergeCall, Merger } from './merger.js';
import type { PointReader } from './point-reader.js';
import { checkRangeOptions, rangeOf } from './range.js';
import type { RecordReader } from './record-reader.js';
import type { SegmentLog } from './segment-log.js';
import type { SnapshotJobs } from './snapshot-jobs.js';
import { type Guard, WriteEntry } from './staging-chunk.js';
import type { StoreContext } from './store-context.js';
import { storeStats } from './store-stats.js';
import type { Upkeep } from './upkeep.js';
import type { ValueCache } from './value-cache.js';
import { verifySegments } from './verify-segments.js';
import type { WriteCalls } from './write-calls.js';
import type { Writer } from './writer.js';

/** Everything an open store is made of; `openBitcask` puts it together. */
export interface StoreParts {
  readonly context: StoreContext;
  readonly reader: RecordReader;
  readonly points: PointReader;
  readonly cache: ValueCache;
  readonly calls: WriteCalls;
  readonly compressor: ValueCompressor;
  readonly log: SegmentLog;
  readonly hints: HintJobs;
  readonly keydirSnapshots: KeydirSnapshots;
  readonly writer: Writer;
  readonly checkpoints: Checkpoints;
  readonly upkeep: Upkeep;
  readonly merger: Merger;
  readonly snapshots: SnapshotJobs;
  readonly lock: DirectoryLock | undefined;
}

/** The store as its users see it: open, then closing, then closed. The work is done by its parts. */
export class Store implements Bitcask {
  readonly #parts: StoreParts;
  #closing: Promise<void> | undefined;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  async get(key: Uint8Array, options?: ReadOptions): Promise<Uint8Array | undefined> {
    this.#assertOpen();
    return this.#parts.points.value(key, this.#horizon(options));
  }

  getSync(key: Uint8Array, options?: ReadOptions): Uint8Array | undefined {
    this.#assertOpen();
    return this.#parts.points.valueSync(key, this.#horizon(options));
  }

  async getEntry(key: Uint8Array, options?: ReadOptions): Promise<BitcaskEntry | undefined> {
    this.#assertOpen();
    return this.#parts.points.entry(key, this.#horizon(options));
  }

  getEntrySync(key: Uint8Array, options?: ReadOptions): BitcaskEntry | undefined {
    this.#assertOpen();
    return this.#parts.points.entrySync(key, this.#horizon(options));
  }

  async getMany(keys: readonly Uint8Array[], options?: ReadOptions): Promise<(Uint8Array | undefined)[]> {
    this.#assertOpen();
    return this.#parts.points.values(keys, this.#horizon(options));
  }

  has(key: Uint8Array, options?: ReadOptions): boolean {
    this.#assertOpen();
    return this.#parts.points.has(key, this.#horizon(options));
  }

  // Within a promise's executor a throw rejects, so that whatever is wrong with a write comes the same way.
  put(key: Uint8Array, value: Uint8Array, options: PutOptions = {}): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      const { expiresAtMs } = options;
      const operation: BatchOperation =
        expiresAtMs === undefined ? { type: 'put', key, value } : { type: 'put', key, value, expiresAtMs };
      this.#write([operation], new WriteEntry(false, this.#putGuard(options), resolve, reject));
    });
  }

  delete(key: Uint8Array, options: DeleteOptions = {}): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const entry = new WriteEntry(false, this.#deleteGuard(options), () => resolve(entry.wasLive), reject);
      this.#write([{ type: 'delete', key }], entry);
    });
  }

  batch(operations: readonly BatchOperation[], options: BatchOptions = {}): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      if (operations.length === 0) throw new RangeError('a batch must hold at least one operation');
      this.#write(operations, new WriteEntry(options.sync === true, undefined, resolve, reject));
    });
  }

  range(options: RangeOptions = {}): BitcaskRange {
    checkRangeOptions(options);
    this.#assertOpen();
    const { context, reader } = this.#parts;
    const assertOpen = () => this.#assertOpen();
    const source = () => ({ index: context.index, reader, horizonMs: this.#horizon(options), assertOpen });
    return rangeOf(source, assertOpen, options);
  }

  get size(): number {
    return this.#parts.context.index.keydir.size;
  }

  async checkpoint(): Promise<{ readonly durableSequence: number }> {
    this.#assertWritable();
    const done = await this.#parts.checkpoints.run();
    this.#parts.upkeep.afterWrites();
    return done;
  }

  async merge(options: MergeCall = {}): Promise<MergeResult> {
    this.#assertWritable();
    return this.#parts.merger.merge(options);
  }

  pauseMerge(): void {
    this.#parts.merger.pause();
  }

  resumeMerge(): void {
    this.#parts.merger.resume();
  }

  setMergeRate(bytesPerSecond: number): void {
    if (!Number.isSafeInteger(bytesPerSecond) || bytesPerSecond < 0)
      throw new RangeError(`bytesPerSecond must be an integer of at least 0, not ${bytesPerSecond}`);
    this.#parts.merger.setRate(bytesPerSecond);
  }

  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    this.#assertOpen();
    const { index, options: own } = this.#parts.context;
    await this.#parts.hints.idle();
    const segments = [...index.segments.values()].map((segment) => ({ ...segment }));
    return verifySegments({ options: own, segments, isLive: (segment) => index.segments.has(segment.fileId) }, options);
  }

  async snapshot(directory: string, options: SnapshotOptions = {}): Promise<SnapshotResult> {
    this.#assertWritable();
    return this.#parts.snapshots.run(directory, options);
  }

  stats(): BitcaskStats {
    return storeStats(this.#parts);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #write(operations: readonly BatchOperation[], entry: WriteEntry): void {
    this.#assertWritable();
    this.#parts.calls.enqueue(operations, entry);
    this.#parts.writer.wake();
  }

  #putGuard(options: PutOptions): Guard | undefined {
    const { ifRevision } = options;
    if (ifRevision === undefined) return undefined;
    return { kind: 'put', revision: checkRevision(ifRevision), horizonMs: this.#horizon(options) };
  }

  #deleteGuard(options: DeleteOptions): Guard {
    const { ifRevision } = options;
    const revision = ifRevision === undefined ? undefined : checkRevision(ifRevision);
    return { kind: 'delete', revision, horizonMs: this.#horizon(options) };
  }

  #horizon(options: ReadOptions | undefined): number {
    return options?.horizonMs ?? this.#parts.context.options.horizon();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined)
      throw new BitcaskError('CLOSED', `the store in '${this.#parts.context.options.directory}' is closed`);
  }

  #assertWritable(): void {
    this.#assertOpen();
    const { options, health } = this.#parts.context;
    if (options.readOnly)
      throw new BitcaskError(
        'READ_ONLY',
        `the store in '${options.directory}' was opened read-only; open it without readOnly to write`,
      );
    if (health.failure !== undefined) throw health.failure;
  }

  async #close(): Promise<void> {
    const { writer, checkpoints, upkeep, merger, snapshots, hints, keydirSnapshots, context, cache, lock } =
      this.#parts;
    upkeep.stop();
    checkpoints.stop();
    try {
      await snapshots.close();
      await merger.close();
      await keydirSnapshots.stop();
      await writer.drain();
      await checkpoints.idle();
      await this.#sealLast();
      await hints.idle();
      await keydirSnapshots.atClose();
    } finally {
      cache.clear();
      await context.pool.close();
      await lock?.release();
    }
  }

  /** Seals what was being written, so that the next open reads its hint. Without space the next open does it. */
  async #sealLast(): Promise<void> {
    const { context, writer, log } = this.#parts;
    if (context.health.failure !== undefined) {
      await log.abandon();
      return;
    }
    try {
      await writer.exclusively(() => writer.seal());
      await log.listSeals(writer.writtenSequence);
    } catch (error) {
      await log.abandon();
      if (!(error instanceof ManifestUnchanged)) throw error;
    }
  }
}

function checkRevision(ifRevision: number): number {
  if (!Number.isSafeInteger(ifRevision) || ifRevision < 0)
    throw new RangeError(`ifRevision must be an integer of at least 0, not ${ifRevision}`);
  return ifRevision;
}
