/**
 * Entries of all streams in one write-ahead log, for who embeds replication. A run is one record, written and read as the
 * bytes it came with; what is durable is what the log says is synced. docs/formats/entry-store.md has the records.
 *
 * Whatever is written is checked when it is called, against what was called before it, and becomes state when the log has
 * it durably, in the same order. A write that fails is the end of the store: what stands behind it may not be there.
 */
import type { Clock } from '@shanghai/env';
import type { Wal, WalRecord } from '@shanghai/wal';
import { type StreamId, streamKey } from '../core/entry-id.js';
import { type Hlc, laterHlc, stampHlc } from '../core/hlc.js';
import { ReplicationError } from '../core/replication-error.js';
import { checkRun, cutRun, lastSequenceOf, type Run } from '../core/run.js';
import { packStamped } from '../core/stamped-payload.js';
import type { OriginMark, StreamPosition } from '../core/stream-position.js';
import type { EntryStore, EntryStoreObserver, ReadResult } from '../ports/entry-store.js';
import { KeptStream } from './kept-stream.js';
import type { RecoveredStore } from './recover-store.js';
import { RunReader } from './run-reader.js';
import { encodeStoreRecord, type StoreRecord } from './store-record.js';
import { TailRuns } from './tail-runs.js';

/** What a store is made of. */
export interface WalEntryStoreParts {
  readonly wal: Wal;
  readonly nodeId: number;
  readonly clock: Clock;
  readonly recovered: RecoveredStore;
  readonly epoch: number;
  readonly nextEpoch: (last: number) => number | Promise<number>;
  readonly tailBytes: number;
}

/** Stream 0 is written anew when it has so many records, and four times as many as it needs. */
const leastStates = 1_024;

/** The store; made by `openWalEntryStore`. */
export class WalEntryStore implements EntryStore {
  readonly ownOrigin: number;
  readonly #parts: WalEntryStoreParts;
  readonly #streams: Map<string, KeptStream>;
  readonly #marks: Map<number, OriginMark>;
  readonly #removed: Set<number>;
  readonly #tail: TailRuns;
  readonly #reader: RunReader;
  /** What was called and is not durable yet: streams to their last sequence, and how much is to come. */
  readonly #coming = new Map<string, { last: number; calls: number }>();
  /** States on their way: stream 0 is not written anew without them. */
  readonly #comingStates = new Set<StoreRecord>();
  #lastWrite: Promise<unknown> = Promise.resolve();
  readonly #walStreams = new Map<string, number>();
  #lastWalStream: number;
  #epoch: number;
  #stamp: Hlc;
  #ceiling: Hlc;
  #states: number;
  #observer: EntryStoreObserver | undefined;
  readonly #changedStreams = new Map<string, KeptStream>();
  readonly #changedMarks = new Map<number, OriginMark>();
  #telling: Promise<void> | undefined;
  #failure: unknown;

  constructor(parts: WalEntryStoreParts) {
    const { recovered, nodeId, epoch, wal } = parts;
    this.ownOrigin = nodeId;
    this.#parts = parts;
    this.#streams = recovered.streams;
    this.#marks = recovered.marks;
    this.#removed = recovered.removedLogs;
    this.#lastWalStream = recovered.lastWalStream;
    this.#epoch = epoch;
    this.#states = recovered.states;
    this.#ceiling = laterHlc(recovered.ceiling, recovered.marks.get(nodeId)?.hlc ?? recovered.ceiling);
    this.#stamp = this.#ceiling;
    this.#tail = new TailRuns(parts.tailBytes);
    this.#reader = new RunReader(wal, this.#tail);
  }

  ownEpoch(): number {
    return this.#epoch;
  }

  async beginEpoch(): Promise<number> {
    const epoch = await this.#parts.nextEpoch(this.#epoch);
    if (!(epoch > this.#epoch)) throw new RangeError(`epoch ${epoch} was given out behind ${this.#epoch}`);
    this.#epoch = epoch;
    await this.#writeStates([{ type: 'epoch', epoch }]);
    return epoch;
  }

  /** Writes own entries. Resolves to the first one's sequence when they are durable. Not empty. Rejects with the log's errors. */
  async append(logId: number, data: readonly Uint8Array[]): Promise<number> {
    if (data.length === 0) throw new RangeError('nothing to append');
    const stream: StreamId = { logId, origin: this.ownOrigin, epoch: this.#epoch };
    const firstSequence = this.#lastOf(streamKey(stream)) + 1;
    const { bytes, lastHlc } = packStamped(stampHlc(this.#stamp, this.#parts.clock.nowMs()), data);
    this.#stamp = lastHlc;
    await this.#writeRuns([{ stream, firstSequence, count: data.length, lastHlc, bytes }]);
    return firstSequence;
  }

  /** Lets go of entries before `firstSequence`; their segments go when nothing else needs them. */
  async trim(stream: StreamId, firstSequence: number): Promise<void> {
    const kept = this.#streams.get(streamKey(stream));
    if (kept === undefined) return;
    const upTo = Math.min(firstSequence, kept.lastSequence + 1);
    if (upTo <= kept.firstSequence) return;
    const { lastSequence, lastHlc } = kept;
    await this.#writeStates(
      [{ type: 'position', position: { stream, firstSequence: upTo, lastSequence, lastHlc } }],
      () => {
        kept.cut(upTo);
        if (kept.releasable > 0) this.#parts.wal.release(kept.walStream, kept.releasable);
        this.#changedStreams.set(streamKey(stream), kept);
      },
    );
  }

  /** Removes a log with all it holds; nothing of it is taken any more. */
  async removeLog(logId: number): Promise<void> {
    this.#removed.add(logId);
    await this.#writeStates([{ type: 'removed', logId }], () => {
      for (const [key, { stream, walStream }] of this.#streams) {
        if (stream.logId !== logId) continue;
        this.#streams.delete(key);
        this.#tail.forget((other) => other === key);
        this.#parts.wal.release(walStream, this.#parts.wal.info().lastLsn);
      }
    });
    this.#observer?.onLogRemoved(logId);
  }

  positions(): readonly StreamPosition[] {
    return [...this.#streams.values()].map(({ position }) => position);
  }

  marks(): readonly OriginMark[] {
    return [...this.#marks.values()];
  }

  async read(stream: StreamId, fromSequence: number, maxEntries: number, maxBytes: number): Promise<ReadResult> {
    const kept = this.#streams.get(streamKey(stream));
    if (kept === undefined || fromSequence > kept.lastSequence) return { type: 'nothing' };
    const { firstSequence } = kept;
    if (fromSequence < firstSequence) return { type: 'trimmed', firstSequence };
    const run = await this.#reader.read(kept, fromSequence, maxEntries, maxBytes);
    if (run !== undefined) return { type: 'run', run };
    // It was trimmed while it was read.
    return fromSequence < kept.firstSequence
      ? { type: 'trimmed', firstSequence: kept.firstSequence }
      : { type: 'nothing' };
  }

  async receive(runs: readonly Run[]): Promise<void> {
    for (const run of runs) checkRun(run);
    const lasts = new Map<string, number>();
    const taken: Run[] = [];
    for (const run of runs) {
      if (this.#removed.has(run.stream.logId)) continue;
      const key = streamKey(run.stream);
      const last = lasts.get(key) ?? this.#lastOf(key);
      if (run.firstSequence > last + 1) {
        throw new ReplicationError('GAP', `entry ${run.firstSequence} of stream ${key} came where ${last + 1} is next`);
      }
      if (lastSequenceOf(run) <= last) continue;
      taken.push(cutRun(run, last + 1));
      lasts.set(key, lastSequenceOf(run));
    }
    for (const run of taken) this.#stamp = laterHlc(this.#stamp, run.lastHlc);
    // What is there already may still be on its way to the disk, and this is not done before it.
    if (taken.length > 0) await this.#writeRuns(taken);
    else await this.#lastWrite;
  }

  async skip(stream: StreamId, firstSequence: number): Promise<void> {
    const key = streamKey(stream);
    if (firstSequence - 1 <= this.#lastOf(key) || this.#removed.has(stream.logId)) return;
    const position = { stream, firstSequence, lastSequence: firstSequence - 1, lastHlc: { ms: 0, counter: 0 } };
    this.#come(key, firstSequence - 1);
    await this.#writeStates([{ type: 'position', position }], () => {
      this.#came(key);
      const kept = this.#keptOf(stream, key);
      kept.cut(firstSequence);
      this.#tail.forget((other) => other === key);
      this.#changedStreams.set(key, kept);
    });
  }

  /** Logs of this store are not folded. */
  hasRows(): boolean {
    return false;
  }

  async rows(): Promise<undefined> {
    return undefined;
  }

  async mergeRows(logId: number): Promise<void> {
    throw new ReplicationError('FOREIGN', `log ${logId} is folded elsewhere, and plain here`);
  }

  async setMark(mark: OriginMark): Promise<void> {
    await this.#writeStates([{ type: 'mark', mark }], () => this.#keepMark(mark));
  }

  async makeOwnMark(): Promise<void> {
    const hlc = laterHlc(this.#stamp, { ms: this.#parts.clock.nowMs(), counter: 0 });
    // What is stamped from here on is later; what was before stands before this in the log.
    this.#stamp = hlc;
    this.#ceiling = hlc;
    const mark = { origin: this.ownOrigin, hlc, behind: [] };
    await this.#writeStates(
      [
        { type: 'ceiling', hlc },
        { type: 'mark', mark },
      ],
      () => this.#keepMark(mark),
    );
  }

  observe(observer: EntryStoreObserver): () => void {
    this.#observer = observer;
    return () => {
      if (this.#observer === observer) this.#observer = undefined;
    };
  }

  #keepMark(mark: OriginMark): void {
    this.#marks.set(mark.origin, mark);
    this.#changedMarks.set(mark.origin, mark);
  }

  #lastOf(key: string): number {
    return this.#coming.get(key)?.last ?? this.#streams.get(key)?.lastSequence ?? 0;
  }

  #come(key: string, last: number): void {
    const coming = this.#coming.get(key);
    if (coming === undefined) this.#coming.set(key, { last, calls: 1 });
    else {
      coming.last = last;
      coming.calls++;
    }
  }

  #came(key: string): void {
    const coming = this.#coming.get(key);
    if (coming !== undefined && --coming.calls === 0) this.#coming.delete(key);
  }

  #keptOf(stream: StreamId, key: string): KeptStream {
    const kept = this.#streams.get(key) ?? new KeptStream(stream, this.#walStreamOf(key));
    this.#streams.set(key, kept);
    return kept;
  }

  #walStreamOf(key: string): number {
    const known = this.#streams.get(key)?.walStream ?? this.#walStreams.get(key) ?? ++this.#lastWalStream;
    this.#walStreams.set(key, known);
    return known;
  }

  /** Behind a write that failed nothing is written: it would stand behind a gap. */
  #checkWhole(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #writeRuns(runs: readonly Run[]): Promise<void> {
    this.#checkWhole();
    const records: WalRecord[] = [];
    for (const run of runs) {
      const key = streamKey(run.stream);
      this.#come(key, lastSequenceOf(run));
      records.push({ ...encodeStoreRecord({ type: 'run', run }), stream: this.#walStreamOf(key) });
    }
    await this.#write(this.#parts.wal.appendBatch(records), (firstLsn) => {
      for (const [at, run] of runs.entries()) this.#keepRun(run, firstLsn + at);
    });
  }

  #keepRun(run: Run, lsn: number): void {
    const key = streamKey(run.stream);
    this.#came(key);
    if (this.#removed.has(run.stream.logId)) return;
    const kept = this.#keptOf(run.stream, key);
    kept.add(run, lsn);
    this.#tail.add(run);
    this.#changedStreams.set(key, kept);
  }

  async #writeStates(records: readonly StoreRecord[], onDurable: () => void = () => undefined): Promise<void> {
    this.#checkWhole();
    this.#states += records.length;
    for (const record of records) this.#comingStates.add(record);
    await this.#write(this.#putStates(records), () => {
      for (const record of records) this.#comingStates.delete(record);
      onDurable();
    });
  }

  #putStates(records: readonly StoreRecord[]): Promise<number> {
    const { wal } = this.#parts;
    const needed = this.#streams.size + this.#marks.size + this.#removed.size + this.#comingStates.size;
    const isGrown = this.#states > leastStates && this.#states > 4 * needed;
    if (!isGrown) return wal.appendBatch(records.map((record) => encodeStoreRecord(record)));
    const all = this.#allStates();
    this.#states = all.length;
    return wal.rewriteStream(
      0,
      all.map((record) => encodeStoreRecord(record)),
    );
  }

  /** What stream 0 has to say, with what is on its way. */
  #allStates(): StoreRecord[] {
    const states: StoreRecord[] = [
      { type: 'ceiling', hlc: this.#ceiling },
      { type: 'epoch', epoch: this.#epoch },
    ];
    for (const logId of this.#removed) states.push({ type: 'removed', logId });
    for (const { position } of this.#streams.values()) {
      if (position.firstSequence > 1) states.push({ type: 'position', position });
    }
    for (const mark of this.#marks.values()) states.push({ type: 'mark', mark });
    return [...states, ...this.#comingStates];
  }

  #write(written: Promise<number>, onDurable: (firstLsn: number) => void): Promise<void> {
    const done = this.#finish(written, onDurable);
    this.#lastWrite = done.catch(() => undefined);
    return done;
  }

  async #finish(written: Promise<number>, onDurable: (firstLsn: number) => void): Promise<void> {
    try {
      const firstLsn = await written;
      this.#checkWhole();
      onDurable(firstLsn);
    } catch (error) {
      this.#failure ??= error;
      throw error;
    }
    this.#telling ??= this.#tellSoon();
    await this.#telling;
  }

  /** One sync makes many calls durable: the observer hears of them together, and before any of them is resolved. */
  #tellSoon(): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.clock.soon(() => {
        this.#telling = undefined;
        const positions = [...this.#changedStreams.values()].map(({ position }) => position);
        const marks = [...this.#changedMarks.values()];
        this.#changedStreams.clear();
        this.#changedMarks.clear();
        if (positions.length > 0) this.#observer?.onPositions(positions);
        if (marks.length > 0) this.#observer?.onMarks(marks);
        resolve();
      });
    });
  }
}
