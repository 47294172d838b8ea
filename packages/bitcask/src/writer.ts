import type { ActiveSegment } from './active-segment.js';
import { BitcaskError } from './bitcask-error.js';
import { claimedBytes, crcSeed, markBytes, recordFlags, stampRecord } from './core/record.js';
import { countRecords } from './core/segment.js';
import { segmentHeaderBytes } from './core/segment-header.js';
import { EntryApplier } from './entry-applier.js';
import { NoSpace } from './no-space.js';
import { diskFull, writeFailure } from './poisoning.js';
import type { RecordReader } from './record-reader.js';
import type { SegmentLog } from './segment-log.js';
import type { StagingChunk, WriteEntry } from './staging-chunk.js';
import type { StoreContext } from './store-context.js';
import { WriteJudge } from './write-judge.js';
import type { WriteQueue } from './write-queue.js';

/**
 * Bytes written before a sync in mode `always`: enough that the sync is not what limits, and few enough that their
 * changes of the key directory, which come in one stretch behind the sync, hold the event loop for some milliseconds.
 */
const turnBytes = 262_144;

/**
 * Writes what is queued, turn by turn: what came in while the last turn was at the disk makes the next one, without a
 * timer. In a turn: judge and stamp every entry in order, write runs of them with one call each, in mode `always` sync
 * once, then change the key directory and settle the callers.
 *
 * A turn that needs no sync is *ready* as soon as it is written, and the next one's write is begun before the key
 * directory is changed: the disk and this thread work at the same time. What is ready is always applied before
 * anything looks at the key directory on behalf of a later write, and before a task or an idle writer.
 *
 * The disk is waited for asynchronously, so a disk that hangs stops writes and nothing else.
 */
export class Writer {
  readonly #store: StoreContext;
  readonly #log: SegmentLog;
  readonly #queue: WriteQueue;
  readonly #reader: RecordReader;
  readonly #applier: EntryApplier;
  readonly #tasks: (() => Promise<void>)[] = [];
  readonly #onTurn: (() => void) | undefined;
  #running: Promise<void> | undefined;
  /** Chunks of earlier turns: as durable as promised, not in the key directory yet. */
  #ready: StagingChunk[] = [];
  /** Chunks of the turn that is being written. */
  #turnChunks: readonly StagingChunk[] = [];
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
    this.#applier = new EntryApplier(store.index);
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
      // A merge takes a record that the key directory does not know for a dead one: all of the segment is entered,
      // being synced, before the segment is sealed.
      await this.#log.seal(() => {
        this.#applyReady();
        for (const chunk of this.#turnChunks) this.#applier.apply(chunk);
      });
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
      if (this.#queue.isEmpty) continue;
      this.#turnChunks = this.#queue.take(this.#store.options.durability === 'always' ? turnBytes : 1);
      const synced = await this.#turn(this.#turnChunks);
      this.#ready.push(...this.#turnChunks);
      this.#turnChunks = [];
      if (synced || this.#queue.isEmpty || this.#tasks.length > 0) this.#applyReady();
    }
  }

  /** Judges and writes chunks, and syncs them where that is promised; resolves to whether it did. Failures are the entries'. */
  async #turn(chunks: readonly StagingChunk[]): Promise<boolean> {
    try {
      if (this.#store.health.failure !== undefined) throw this.#store.health.failure;
      await this.#writeChunks(chunks);
      if (!chunks.some((chunk) => this.#mustSync(chunk))) return false;
      await this.sync();
    } catch (error) {
      failRest(chunks, this.#poison(error));
    }
    return true;
  }

  /** Makes what is ready visible, answers its callers and gives the chunks back. */
  #applyReady(): void {
    if (this.#ready.length === 0) return;
    const chunks = this.#ready;
    this.#ready = [];
    for (const chunk of chunks) {
      try {
        this.#applier.apply(chunk);
      } catch (error) {
        failRest([chunk], this.#poison(error));
        this.#applier.apply(chunk);
      }
      this.#queue.recycle(chunk);
    }
  }

  /** Where the disk is full, the run that met it and everything behind it in the turn fail, as if never queued. */
  async #writeChunks(chunks: readonly StagingChunk[]): Promise<void> {
    const judge = new WriteJudge(this.#store.index, this.#reader, chunks);
    try {
      for (const chunk of chunks) {
        if (chunk.prepared !== undefined) {
          this.#applyReady();
          await chunk.prepared;
        }
        if (chunk.guarded) this.#applyReady();
        await this.#writeChunk(chunk, judge);
      }
    } catch (error) {
      if (!(error instanceof NoSpace)) throw error;
      failRest(chunks, diskFull(error));
    }
  }

  #mustSync(chunk: StagingChunk): boolean {
    if (this.#store.options.durability === 'always') return true;
    return chunk.asksSync && chunk.entries.some((entry) => entry.sync && entry.state !== 'failed');
  }

  /** Writes a chunk's entries in runs, one a segment. Rejects with `NoSpace` or with what must poison the store. */
  async #writeChunk(chunk: StagingChunk, judge: WriteJudge): Promise<void> {
    let next = 0;
    let tail = markBytes;
    while (next < chunk.entries.length) {
      if (this.#log.active === undefined) this.#applyReady();
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
    const run: Run = { start: tail, end: tail, tail, first, next: first, sequence: this.#written, tombstoneBytes: 0 };
    for (; run.next < chunk.entries.length; run.next++) {
      const entry = chunk.entries[run.next] as WriteEntry;
      const offset = active.end + (run.end - start);
      const end = offset + (entry.end - entry.start);
      if (end > segmentBytes && (run.end > tail || active.end > segmentHeaderBytes)) break;
      if (!entry.isOpen) continue;
      if (entry.guard !== undefined) {
        await this.#judge(judge, chunk, entry, run.sequence);
        if (!entry.isOpen) continue;
      }
      placeEntry(chunk, entry, run.end, active.segment.fileId, offset);
      stampEntry(chunk, entry, active.segment.seed, run);
    }
    run.tail = run.end;
    if (run.end === tail) return run;
    run.start = start;
    if (withMark) active.layMark(chunk.bytes, chunk.view, 0, this.#written);
    return run;
  }

  async #judge(judge: WriteJudge, chunk: StagingChunk, entry: WriteEntry, sequence: number): Promise<void> {
    const { guard } = entry;
    if (guard === undefined) return;
    try {
      await judge.judge(chunk, entry, guard, sequence);
    } catch (error) {
      entry.fail(error as Error);
    }
  }

  async #writeRun(chunk: StagingChunk, run: Run, active: ActiveSegment): Promise<void> {
    const appending = active.append(chunk.bytes.subarray(run.start, run.end));
    // The disk is at work: time for the turn before. It never throws.
    this.#applyReady();
    await appending;
    this.bytesWritten += run.end - run.start;
    this.operations += run.sequence - this.#written;
    countRecords(active.segment, this.#written + 1, run.sequence, run.tombstoneBytes);
    this.#written = run.sequence;
    for (let i = run.first; i < run.next; i++) {
      const entry = chunk.entries[i] as WriteEntry;
      if (entry.state === 'queued') entry.state = 'written';
    }
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
      if (entry.isOpen && !(keepsWritten && entry.state === 'written')) entry.fail(error);
    }
  }
}

/** Entries that go to one segment with one write. */
interface Run {
  /** The bytes to write, in the chunk; equal where there are none. */
  start: number;
  end: number;
  /** Where the next run's first entry goes in the chunk. */
  tail: number;
  readonly first: number;
  next: number;
  /** The last one given. */
  sequence: number;
  tombstoneBytes: number;
}

/** Moves an entry to `start` in its chunk, and tells it where it goes in the file. */
function placeEntry(chunk: StagingChunk, entry: WriteEntry, start: number, fileId: number, offset: number): void {
  if (entry.start !== start) chunk.bytes.copyWithin(start, entry.start, entry.end);
  entry.end += start - entry.start;
  entry.start = start;
  entry.fileId = fileId;
  entry.offset = offset;
}

/** Stamps an entry's records, the first one behind the run's last sequence, and takes them into the run. */
function stampEntry(chunk: StagingChunk, entry: WriteEntry, segmentSeed: number, run: Run): void {
  const { bytes, view } = chunk;
  const shift = entry.offset - entry.start;
  for (let at = entry.start; at < entry.end; ) {
    const end = at + claimedBytes(view, at);
    stampRecord(bytes, view, at, end, ++run.sequence, crcSeed(segmentSeed, at + shift));
    if (((bytes[at + 4] as number) & recordFlags.tombstone) !== 0) run.tombstoneBytes += end - at;
    at = end;
  }
  run.end = entry.end;
  entry.lastSequence = run.sequence;
}
