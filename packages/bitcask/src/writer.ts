import type { ActiveSegment } from './active-segment.js';
import { BitcaskError } from './bitcask-error.js';
import {
  claimedBytes,
  crcSeed,
  createRecordFields,
  markBytes,
  readRecord,
  recordFlags,
  stampRecord,
} from './core/record.js';
import { countRecord } from './core/segment.js';
import { segmentHeaderBytes } from './core/segment-header.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import { NoSpace } from './no-space.js';
import { diskFull, writeFailure } from './poisoning.js';
import type { RecordReader } from './record-reader.js';
import type { SegmentLog } from './segment-log.js';
import type { StagingChunk, WriteEntry } from './staging-chunk.js';
import type { StoreContext } from './store-context.js';
import { WriteJudge } from './write-judge.js';
import type { WriteQueue } from './write-queue.js';

/** Bytes written before a sync in mode `always`: enough that the sync is not what limits. */
const turnBytes = 1_048_576;

/**
 * Writes what is queued, turn by turn: what came in while the last turn was at the disk makes the next one, without a
 * timer. In a turn: judge and stamp every entry in order, write runs of them with one call each, in mode `always` sync
 * once, then change the key directory, all at once, then settle the callers.
 *
 * The disk is waited for asynchronously, so a disk that hangs stops writes and nothing else.
 */
export class Writer {
  readonly #store: StoreContext;
  readonly #log: SegmentLog;
  readonly #queue: WriteQueue;
  readonly #reader: RecordReader;
  readonly #tasks: (() => Promise<void>)[] = [];
  readonly #onTurn: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #written: number;
  #durable: number;
  bytesWritten = 0;
  operations = 0;

  /** `onTurn` is called when the queue has run empty. */
  constructor(store: StoreContext, log: SegmentLog, queue: WriteQueue, reader: RecordReader, onTurn?: () => void) {
    this.#store = store;
    this.#log = log;
    this.#queue = queue;
    this.#reader = reader;
    this.#onTurn = onTurn;
    this.#written = store.index.visibleSequence;
    this.#durable = this.#written;
  }

  /** The last sequence in a file. */
  get writtenSequence(): number {
    return this.#written;
  }

  /** The last sequence that a completed sync covers, with all before it. */
  get durableSequence(): number {
    return this.#durable;
  }

  /** To be called after something was put into the queue. */
  wake(): void {
    this.#running ??= Promise.resolve()
      .then(() => this.#run())
      .finally(() => {
        this.#running = undefined;
        if (!this.#isIdle) this.wake();
        else this.#onTurn?.();
      });
  }

  /** Runs `task` between two turns. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#tasks.push(() => task().then(resolve, reject));
      this.wake();
    });
  }

  /** Resolves when everything queued so far is settled. */
  async drain(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Makes everything written so far durable. A failure poisons the store. */
  async sync(): Promise<void> {
    const covered = this.#written;
    try {
      await this.#log.active?.sync();
    } catch (error) {
      throw this.#poison(error);
    }
    this.#durable = Math.max(this.#durable, covered);
  }

  /** Ends the active segment, which becomes a possible input of merges. Only within `exclusively`. */
  async seal(): Promise<void> {
    try {
      await this.#log.seal();
    } catch (error) {
      throw this.#poison(error);
    }
    this.#durable = this.#written;
  }

  get #isIdle(): boolean {
    return this.#queue.isEmpty && this.#tasks.length === 0;
  }

  async #run(): Promise<void> {
    while (!this.#isIdle) {
      for (const task of this.#tasks.splice(0)) await task();
      const chunks = this.#queue.isEmpty
        ? []
        : this.#queue.take(this.#store.options.durability === 'always' ? turnBytes : 1);
      await this.#turn(chunks);
      for (const chunk of chunks) this.#queue.recycle(chunk);
    }
  }

  async #turn(chunks: readonly StagingChunk[]): Promise<void> {
    try {
      if (this.#store.health.failure !== undefined) throw this.#store.health.failure;
      await this.#writeChunks(chunks);
      if (chunks.some((chunk) => this.#mustSync(chunk))) await this.sync();
      for (const chunk of chunks)
        for (const entry of chunk.entries) if (entry.outcome === undefined) this.#apply(chunk, entry);
    } catch (error) {
      failRest(chunks, this.#poison(error));
    }
    for (const chunk of chunks)
      for (const entry of chunk.entries) if (entry.outcome !== undefined) entry.settle(entry.outcome);
  }

  /** Where the disk is full, the run that met it and everything behind it in the turn fail, as if never queued. */
  async #writeChunks(chunks: readonly StagingChunk[]): Promise<void> {
    const judge = new WriteJudge(this.#store.index, this.#reader);
    try {
      for (const chunk of chunks) {
        await chunk.prepared;
        await this.#writeChunk(chunk, judge);
      }
    } catch (error) {
      if (!(error instanceof NoSpace)) throw error;
      failRest(chunks, diskFull(error));
    }
  }

  #mustSync(chunk: StagingChunk): boolean {
    if (this.#store.options.durability === 'always') return true;
    return chunk.entries.some((entry) => entry.sync && entry.outcome?.kind !== 'failed');
  }

  /** Writes a chunk's entries in runs, one a segment. Rejects with `NoSpace` or with what must poison the store. */
  async #writeChunk(chunk: StagingChunk, judge: WriteJudge): Promise<void> {
    let next = 0;
    let tail = markBytes;
    while (next < chunk.entries.length) {
      const active = await this.#log.ensureActive(this.#written);
      const run = await this.#stampRun(chunk, next, tail, active, judge);
      if (run.end > run.start) await this.#writeRun(chunk, run, active);
      else if (run.next === next) await this.seal();
      next = run.next;
      tail = run.tail;
    }
  }

  /** Stamps entries from `first` on while they fit the active segment; moves them together where some fell away. */
  async #stampRun(
    chunk: StagingChunk,
    first: number,
    tail: number,
    active: ActiveSegment,
    judge: WriteJudge,
  ): Promise<Run> {
    const { segmentBytes } = this.#store.options;
    const withMark = tail === markBytes && active.wantsMark;
    const start = withMark ? 0 : tail;
    let end = tail;
    let next = first;
    let sequence = this.#written;
    for (; next < chunk.entries.length; next++) {
      const entry = chunk.entries[next] as WriteEntry;
      const bytes = entry.end - entry.start;
      const offset = active.end + (end - start);
      if (offset + bytes > segmentBytes && (end > tail || active.end > segmentHeaderBytes)) break;
      if (entry.outcome !== undefined) continue;
      if (entry.guard !== undefined) {
        await this.#judge(judge, chunk, entry, sequence);
        if (entry.outcome !== undefined) continue;
      }
      if (entry.start !== end) chunk.bytes.copyWithin(end, entry.start, entry.end);
      entry.start = end;
      entry.end = end + bytes;
      entry.fileId = active.segment.fileId;
      entry.offset = offset;
      sequence = stampEntry(chunk, entry, active.segment.seed, sequence);
      entry.lastSequence = sequence;
      judge.stamped(chunk, entry);
      end = entry.end;
    }
    if (withMark && end > tail) active.layMark(chunk.bytes, chunk.view, 0, this.#written);
    return { start: end > tail ? start : end, end, tail: end, next, sequence, first };
  }

  async #judge(judge: WriteJudge, chunk: StagingChunk, entry: WriteEntry, sequence: number): Promise<void> {
    const { guard } = entry;
    if (guard === undefined) return;
    try {
      await judge.judge(chunk, entry, guard, sequence);
    } catch (error) {
      entry.outcome = { kind: 'failed', error: error as Error };
    }
  }

  async #writeRun(chunk: StagingChunk, run: Run, active: ActiveSegment): Promise<void> {
    await active.append(chunk.bytes.subarray(run.start, run.end));
    this.bytesWritten += run.end - run.start;
    this.operations += run.sequence - this.#written;
    this.#written = run.sequence;
    const fields = createRecordFields();
    for (let i = run.first; i < run.next; i++) {
      const entry = chunk.entries[i] as WriteEntry;
      if (entry.outcome !== undefined) continue;
      entry.written = true;
      for (let at = entry.start; at < entry.end; at += fields.recordBytes) {
        readRecord(chunk.view, at, fields);
        countRecord(active.segment, fields.sequence, (fields.flags & recordFlags.tombstone) !== 0, fields.recordBytes);
      }
    }
  }

  /** Makes a written entry visible. */
  #apply(chunk: StagingChunk, entry: WriteEntry): void {
    const { index } = this.#store;
    const fields = createRecordFields();
    const position = emptyPosition();
    position.fileId = entry.fileId;
    for (let at = entry.start; at < entry.end; at += fields.recordBytes) {
      readRecord(chunk.view, at, fields);
      const key = chunk.bytes.subarray(fields.keyStart, fields.valueStart);
      if ((fields.flags & recordFlags.tombstone) !== 0) {
        index.delete(key);
        continue;
      }
      position.offset = entry.offset + (at - entry.start);
      position.recordBytes = fields.recordBytes;
      position.sequence = fields.sequence;
      position.expires = (fields.flags & recordFlags.expires) !== 0;
      index.put(key, position);
    }
    index.visibleSequence = entry.lastSequence;
    entry.outcome = { kind: 'written', sequence: entry.lastSequence, wasLive: entry.wasLive };
  }

  #poison(error: unknown): Error {
    this.#store.health.poison(error as Error);
    return writeFailure(this.#store.options.directory, error);
  }
}

/** Fails every entry that has no outcome yet; after `diskFull` those already in a file go on. */
function failRest(chunks: readonly StagingChunk[], error: BitcaskError | Error): void {
  const keepsWritten = error instanceof BitcaskError && error.code === 'DISK_FULL';
  for (const chunk of chunks) {
    for (const entry of chunk.entries) {
      if (entry.outcome === undefined && !(keepsWritten && entry.written)) entry.outcome = { kind: 'failed', error };
    }
  }
}

interface Run {
  /** The bytes to write, in the chunk; equal where there are none. */
  readonly start: number;
  readonly end: number;
  /** Where the next run's first entry goes in the chunk. */
  readonly tail: number;
  readonly first: number;
  readonly next: number;
  readonly sequence: number;
}

/** Stamps an entry's records, the first one after `sequence`; returns the last one's. */
function stampEntry(chunk: StagingChunk, entry: WriteEntry, segmentSeed: number, sequence: number): number {
  const shift = entry.offset - entry.start;
  let last = sequence;
  for (let at = entry.start; at < entry.end; ) {
    const end = at + claimedBytes(chunk.view, at);
    stampRecord(chunk.bytes, chunk.view, at, end, ++last, crcSeed(segmentSeed, at + shift));
    at = end;
  }
  return last;
}
