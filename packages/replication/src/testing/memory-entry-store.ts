import { type Clock, delay } from '@shanghai/env';
import { type StreamId, streamKey } from '../core/entry-id.js';
import { type Hlc, laterHlc, stampHlc } from '../core/hlc.js';
import { ReplicationError } from '../core/replication-error.js';
import {
  checkRun,
  cutRun,
  entryHeaderBytes,
  lastSequenceOf,
  packEntries,
  type Run,
  unpackEntries,
} from '../core/run.js';
import { stampedPayload, stampOfPayload } from '../core/stamped-payload.js';
import type { OriginMark, StreamPosition } from '../core/stream-position.js';
import type { EntryStore, EntryStoreObserver, ReadResult, RowsPage } from '../ports/entry-store.js';
import { type KeptStream, MemoryEntryDirectory } from './memory-entry-directory.js';

/** How a store in memory is opened. */
export interface MemoryEntryStoreOptions {
  readonly nodeId: number;
  /** A number for an epoch that was never given out, to whatever copy of the directory. */
  readonly nextEpoch: () => number;
  readonly clock: Clock;
  /** Default: a new one. */
  readonly directory?: MemoryEntryDirectory;
  /** Until something is durable. Default 0: soon. */
  readonly syncMs?: () => number;
}

/** Changes the directory; gives the streams and marks that are other now. */
type Change = () => { readonly streams?: readonly KeptStream[]; readonly marks?: readonly OriginMark[] };

interface Pending {
  readonly change: Change;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * An `EntryStore` in memory, with the writing side of its own entries. What is called waits for a sync that covers it, and
 * is lost by `crash` before. Payloads begin with their stamp (`stampedPayload`).
 */
export class MemoryEntryStore implements EntryStore {
  readonly ownOrigin: number;
  readonly directory: MemoryEntryDirectory;
  readonly #options: MemoryEntryStoreOptions;
  #epoch: number;
  #observer: EntryStoreObserver | undefined;
  #waiting: Pending[] = [];
  #isSyncing = false;
  #isDown = false;
  #stamp: Hlc;
  /** Own entries that were given a number, durable or not. */
  readonly #given = new Map<string, number>();

  constructor(options: MemoryEntryStoreOptions) {
    this.#options = options;
    this.ownOrigin = options.nodeId;
    this.directory = options.directory ?? new MemoryEntryDirectory();
    this.#stamp = this.directory.latestHlc();
    this.#epoch = options.nextEpoch();
  }

  ownEpoch(): number {
    return this.#epoch;
  }

  async beginEpoch(): Promise<number> {
    this.#epoch = this.#options.nextEpoch();
    await this.#commit(() => ({}));
    return this.#epoch;
  }

  /** Writes own entries. Resolves to the first one's sequence when they are durable. */
  async append(logId: number, data: readonly Uint8Array[]): Promise<number> {
    const stream: StreamId = { logId, origin: this.ownOrigin, epoch: this.#epoch };
    const key = streamKey(stream);
    const first = (this.#given.get(key) ?? this.directory.lastOf(stream)) + 1;
    this.#given.set(key, first + data.length - 1);
    const payloads = data.map((bytes) => {
      this.#stamp = stampHlc(this.#stamp, this.#options.clock.nowMs());
      return stampedPayload(this.#stamp, bytes);
    });
    const lastHlc = this.#stamp;
    await this.#commit(() => ({ streams: [this.directory.append(stream, payloads, lastHlc)] }));
    return first;
  }

  /** Lets go of entries. */
  trim(stream: StreamId, firstSequence: number): Promise<void> {
    return this.#commit(() => {
      const upTo = Math.min(firstSequence, this.directory.lastOf(stream) + 1);
      return { streams: [this.directory.cut(stream, upTo)] };
    });
  }

  /** Folds a log from now on, which is empty so far. */
  foldLog(logId: number): void {
    if (!this.directory.folds.has(logId)) this.directory.folds.set(logId, new Map());
  }

  async removeLog(logId: number): Promise<void> {
    await this.#commit(() => {
      this.directory.removeLog(logId);
      return {};
    });
    this.#observer?.onLogRemoved(logId);
  }

  positions(): readonly StreamPosition[] {
    return [...this.directory.streams.values()].map((kept) => this.directory.positionOf(kept));
  }

  marks(): readonly OriginMark[] {
    return [...this.directory.marks.values()];
  }

  async read(stream: StreamId, fromSequence: number, maxEntries: number, maxBytes: number): Promise<ReadResult> {
    this.#checkUp();
    const kept = this.directory.streams.get(streamKey(stream));
    if (kept === undefined || fromSequence > this.directory.positionOf(kept).lastSequence) return { type: 'nothing' };
    if (fromSequence < kept.firstSequence) return { type: 'trimmed', firstSequence: kept.firstSequence };
    const payloads: Uint8Array[] = [];
    let bytes = 0;
    for (let at = fromSequence - kept.firstSequence; at < kept.payloads.length && payloads.length < maxEntries; at++) {
      const payload = kept.payloads[at] as Uint8Array;
      bytes += payload.length + entryHeaderBytes;
      if (bytes > maxBytes && payloads.length > 0) break;
      payloads.push(payload);
    }
    const lastHlc = stampOfPayload(payloads.at(-1) as Uint8Array) ?? kept.lastHlc;
    const run = { stream, firstSequence: fromSequence, count: payloads.length, lastHlc, bytes: packEntries(payloads) };
    return { type: 'run', run };
  }

  receive(runs: readonly Run[]): Promise<void> {
    for (const run of runs) checkRun(run);
    return this.#commit(() => {
      for (const run of runs) this.#checkFollows(run, runs);
      return { streams: runs.flatMap((run) => this.#take(run)) };
    });
  }

  skip(stream: StreamId, firstSequence: number): Promise<void> {
    return this.#commit(() => {
      const isNews = firstSequence - 1 > this.directory.lastOf(stream) && !this.#isRemoved(stream);
      return isNews ? { streams: [this.directory.cut(stream, firstSequence)] } : {};
    });
  }

  hasRows(logId: number): boolean {
    return this.directory.folds.has(logId);
  }

  async rows(logId: number, cursor: Uint8Array, maxBytes: number): Promise<RowsPage | undefined> {
    this.#checkUp();
    const fold = this.directory.folds.get(logId);
    if (fold === undefined) return undefined;
    const keys = [...fold.keys()].sort();
    const from = Buffer.from(cursor).toString('hex');
    const page: string[] = [];
    let bytes = 0;
    for (const key of keys) {
      if (key <= from) continue;
      bytes += key.length / 2 + entryHeaderBytes;
      if (bytes > maxBytes && page.length > 0) break;
      page.push(key);
    }
    const rows = packEntries(page.map((key) => fold.get(key) as Uint8Array));
    const last = page.at(-1);
    return last === undefined || last === keys.at(-1) ? { rows } : { rows, next: Buffer.from(last, 'hex') };
  }

  mergeRows(logId: number, rows: Uint8Array): Promise<void> {
    return this.#commit(() => {
      this.directory.merge(logId, payloadsIn(rows));
      return {};
    });
  }

  setMark(mark: OriginMark): Promise<void> {
    return this.#commit(() => {
      this.directory.marks.set(mark.origin, mark);
      return { marks: [mark] };
    });
  }

  makeOwnMark(): Promise<void> {
    const hlc = laterHlc(this.#stamp, { ms: this.#options.clock.nowMs(), counter: 0 });
    // What is stamped from here on is later; what was before is in the queue before this.
    this.#stamp = hlc;
    return this.#commit(() => {
      this.directory.ceiling = laterHlc(this.directory.ceiling, hlc);
      const mark = { origin: this.ownOrigin, hlc, behind: [] };
      this.directory.marks.set(this.ownOrigin, mark);
      return { marks: [mark] };
    });
  }

  observe(observer: EntryStoreObserver): () => void {
    this.#observer = observer;
    return () => {
      if (this.#observer === observer) this.#observer = undefined;
    };
  }

  /** The process is gone: what is not durable is lost, and nobody hears of this store any more. */
  crash(): void {
    this.#isDown = true;
    this.#observer = undefined;
    for (const { reject } of this.#waiting.splice(0)) reject(closed());
  }

  #checkUp(): void {
    if (this.#isDown) throw closed();
  }

  #isRemoved({ logId }: StreamId): boolean {
    return this.directory.removedLogs.has(logId);
  }

  /** Against what is there, and what comes before it in the same call. */
  #checkFollows(run: Run, runs: readonly Run[]): void {
    if (this.#isRemoved(run.stream)) return;
    let last = this.directory.lastOf(run.stream);
    const key = streamKey(run.stream);
    for (const before of runs) {
      if (before === run) break;
      if (streamKey(before.stream) === key) last = Math.max(last, lastSequenceOf(before));
    }
    if (run.firstSequence > last + 1) {
      throw new ReplicationError('GAP', `entry ${run.firstSequence} of stream ${key} came where ${last + 1} is next`);
    }
  }

  #take(run: Run): KeptStream[] {
    const { stream } = run;
    const last = this.directory.lastOf(stream);
    if (this.#isRemoved(stream) || lastSequenceOf(run) <= last) return [];
    this.#stamp = laterHlc(this.#stamp, run.lastHlc);
    return [this.directory.append(stream, unpackEntries(cutRun(run, last + 1)), run.lastHlc)];
  }

  #commit(change: Change): Promise<void> {
    if (this.#isDown) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, resolve, reject });
      if (!this.#isSyncing) void this.#sync();
    });
  }

  async #sync(): Promise<void> {
    this.#isSyncing = true;
    while (this.#waiting.length > 0) {
      const ms = this.#options.syncMs?.() ?? 0;
      const batch = this.#waiting.length;
      if (ms > 0) await delay(this.#options.clock, ms);
      else await Promise.resolve();
      if (this.#isDown) return;
      this.#apply(this.#waiting.splice(0, batch));
    }
    this.#isSyncing = false;
  }

  #apply(batch: readonly Pending[]): void {
    const streams = new Set<KeptStream>();
    const marks: OriginMark[] = [];
    for (const { change, resolve, reject } of batch) {
      try {
        const changed = change();
        for (const stream of changed.streams ?? []) streams.add(stream);
        marks.push(...(changed.marks ?? []));
        resolve();
      } catch (error) {
        reject(error);
      }
    }
    if (streams.size > 0) this.#observer?.onPositions([...streams].map((kept) => this.directory.positionOf(kept)));
    if (marks.length > 0) this.#observer?.onMarks(marks);
  }
}

function closed(): ReplicationError {
  return new ReplicationError('CLOSED', 'the store is closed');
}

function payloadsIn(rows: Uint8Array): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  const view = new DataView(rows.buffer, rows.byteOffset, rows.length);
  for (let at = 0; at < rows.length; ) {
    const length = view.getUint32(at, true);
    payloads.push(rows.subarray(at + entryHeaderBytes, at + entryHeaderBytes + length));
    at += entryHeaderBytes + length;
  }
  return payloads;
}
