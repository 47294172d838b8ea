/**
 * The entries of all multi-master logs as shipping sees them: this node's own group and the files of its streams. What is
 * applied there was synced before, in the one write-ahead log of the node; so whatever this says is there is durable.
 */
import { type Clock, delay } from '@shanghai/env';
import {
  checkRun,
  decodeRowPage,
  type EntryStore,
  type EntryStoreObserver,
  type GivenPage,
  type Hlc,
  laterHlc,
  type OriginMark,
  type ReadResult,
  ReplicationError,
  type RowsPage,
  type Run,
  type StreamId,
  type StreamPosition,
  streamKey,
  zeroHlc,
} from '@shanghai/replication';
import { keyspaceOfLog } from '../apply/keyspace-log.js';
import type { OriginCommand } from '../apply/origin-command.js';
import type { AcceptedRun } from '../apply/stream-run.js';
import type { StreamCounters } from '../apply/stream-table.js';
import { RowGivings } from '../keyspaces/row-givings.js';
import { mergePage } from '../keyspaces/row-merger.js';
import type { LogFiles } from '../logs/log-files.js';
import { streamPlace } from '../logs/log-place.js';
import { runOf } from '../logs/stream-reads.js';
import type { Replica } from '../raft/replica.js';
import { ServerError } from '../requests/server-error.js';
import type { OriginWriter } from './origin-writer.js';
import { RecentRuns } from './recent-runs.js';

/** What it stands on. */
export interface OwnEntryStoreParts {
  readonly nodeId: number;
  readonly own: Replica;
  readonly files: LogFiles;
  readonly writer: OriginWriter;
  /** A number that this node has not written under before, in this or another life of its directory. */
  readonly nextEpoch: () => Promise<number>;
  /** The largest command of the own group. */
  readonly maxCommandBytes: number;
  readonly clock: Clock;
  /** Its abort ends waiting for space. */
  readonly signal: AbortSignal;
  /** Bytes of runs that are kept for shipping. */
  readonly recentBytes: number;
}

/**
 * What ends by itself, or with the node. Also what may have been done: every command of shipping may come twice. A process that
 * was stopped for some seconds, or whose disk was slow, finds its commands overdue.
 */
const passing: ReadonlySet<string> = new Set([
  'STORAGE_FULL',
  'RESOURCE_EXHAUSTED',
  'CLUSTER_ERROR',
  'OUTCOME_UNKNOWN',
  'DEADLINE_EXCEEDED',
]);
const retryMs = 500;

/** What a run takes in a command beside its bytes, generously. */
const runOverheadBytes = 64;

/** The store of one node. */
export class OwnEntryStore implements EntryStore {
  readonly ownOrigin: number;
  readonly #parts: OwnEntryStoreParts;
  readonly #recent: RecentRuns;
  readonly #givings: RowGivings;
  /** Last sequences with what is on its way. */
  readonly #expected = new Map<string, number>();
  #beginning: Promise<number> | undefined;
  #observer: EntryStoreObserver | undefined;
  #receiving: Promise<unknown> = Promise.resolve();
  /** Rows that are on their way; never rejects. */
  #merging: Promise<unknown> | undefined;
  #inFlight = 0;

  constructor(parts: OwnEntryStoreParts) {
    this.ownOrigin = parts.nodeId;
    this.#parts = parts;
    this.#recent = new RecentRuns(parts.recentBytes);
    this.#givings = new RowGivings(parts.own, parts.clock);
    parts.own.machine.onStreams = ({ streams, dropped, runs }) => this.#shown(streams, dropped, runs);
  }

  positions(): readonly StreamPosition[] {
    return [...this.#streams.allVisible()].map(positionOf);
  }

  marks(): readonly OriginMark[] {
    const others = this.#streams.marks.all().filter(({ origin }) => origin !== this.ownOrigin);
    return [...others, this.#ownMark()];
  }

  ownEpoch(): number {
    return this.#streams.own.epoch;
  }

  /** Waits for the system group, which gives the number. */
  async beginEpoch(): Promise<number> {
    const { clock, signal } = this.#parts;
    const before = this.ownEpoch();
    for (;;) {
      try {
        return await this.tryBeginEpoch();
      } catch (error) {
        const isPassing = error instanceof ServerError && passing.has(error.code);
        if (!isPassing || signal.aborted) throw error;
      }
      await delay(clock, retryMs, signal);
      if (this.ownEpoch() !== before) return this.ownEpoch();
    }
  }

  /** As `beginEpoch`, but rejects where there is no number now. One for all who ask for it meanwhile. */
  tryBeginEpoch(): Promise<number> {
    this.#beginning ??= this.#begin().finally(() => {
      this.#beginning = undefined;
    });
    return this.#beginning;
  }

  async #begin(): Promise<number> {
    const { nextEpoch, writer, nodeId } = this.#parts;
    return this.#insist(async () => {
      const epoch = await nextEpoch();
      await writer.beginEpoch(nodeId, epoch, this.#highestSeenOfOwn());
      return epoch;
    });
  }

  async read(stream: StreamId, fromSequence: number, maxEntries: number, maxBytes: number): Promise<ReadResult> {
    const known = this.#streams.visible(stream);
    if (known === undefined || fromSequence > known.lastSequence) return { type: 'nothing' };
    if (fromSequence < known.firstSequence) return { type: 'trimmed', firstSequence: known.firstSequence };
    const recent = this.#recent.read(stream, fromSequence, maxEntries, maxBytes);
    if (recent !== undefined) return { type: 'run', run: recent };
    const { lastSequence } = known;
    return this.#parts.files.use(streamPlace(stream), (wal) =>
      runOf(wal, stream, { fromSequence, lastSequence, maxEntries, maxBytes }),
    );
  }

  receive(runs: readonly Run[]): Promise<void> {
    try {
      for (const run of runs) this.#expect(run);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#ordered(this.#behindRows(() => this.#propose(runs)));
  }

  skip(stream: StreamId, firstSequence: number): Promise<void> {
    this.#expected.set(streamKey(stream), Math.max(this.#last(stream), firstSequence - 1));
    return this.#ordered(this.#behindRows(() => this.#skip(stream, firstSequence)));
  }

  hasRows(logId: number): boolean {
    return keyspaceOfLog(logId) !== undefined;
  }

  async rows(logId: number, cursor: Uint8Array, maxBytes: number): Promise<RowsPage | undefined> {
    const keyspaceId = keyspaceOfLog(logId);
    return keyspaceId === undefined ? undefined : this.#givings.page(keyspaceId, cursor, maxBytes);
  }

  /** The streams of the log go on where the rows of all pages reach, in one step with the last of them. */
  mergeRows(logId: number, rows: Uint8Array): Promise<void> {
    const keyspaceId = keyspaceOfLog(logId);
    if (keyspaceId === undefined) {
      return Promise.reject(new ReplicationError('CORRUPT', `rows came for log ${logId}, which has none`));
    }
    let page: GivenPage;
    try {
      // What cannot be taken apart must not get into the group.
      page = decodeRowPage(rows);
    } catch (error) {
      return Promise.reject(error);
    }
    const merged = this.#behindRows(() => this.#merge(keyspaceId, page));
    const settled = merged.catch(() => undefined);
    this.#merging = settled;
    void settled.then(() => {
      if (this.#merging === settled) this.#merging = undefined;
    });
    return this.#ordered(merged);
  }

  async setMark(mark: OriginMark): Promise<void> {
    await this.#ordered(this.#behindRows(() => this.#store({ kind: 'originMarks', marks: [mark] })));
    this.#observer?.onMarks([mark]);
    // Readers in the order of time may go further.
    this.#parts.own.state.changes.published.notify();
  }

  async makeOwnMark(): Promise<void> {
    if (this.#streams.own.epoch === 0) return;
    await this.#insist(() => this.#parts.writer.raiseCeiling());
    this.#observer?.onMarks([this.#ownMark()]);
  }

  observe(observer: EntryStoreObserver): () => void {
    this.#observer = observer;
    return () => {
      if (this.#observer === observer) this.#observer = undefined;
    };
  }

  /** Gives no rows any more. */
  close(): void {
    this.#givings.close();
  }

  get #streams() {
    return this.#parts.own.machine.streams;
  }

  /** Whatever is applied has stamps up to the highest, and whatever comes has later ones. */
  #ownMark(): OriginMark {
    return { origin: this.ownOrigin, hlc: this.#streams.visibleOwn.highestHlc, behind: [] };
  }

  #highestSeenOfOwn(): Hlc {
    let highest = this.#streams.marks.get(this.ownOrigin)?.hlc ?? zeroHlc;
    for (const { origin, lastHlc } of this.#streams.allVisible()) {
      if (origin === this.ownOrigin) highest = laterHlc(highest, lastHlc);
    }
    return highest;
  }

  #last(stream: StreamId): number {
    return Math.max(this.#expected.get(streamKey(stream)) ?? 0, this.#streams.get(stream)?.lastSequence ?? 0);
  }

  #expect(run: Run): void {
    // What cannot be taken apart must not get into the group: it could not be applied.
    checkRun(run);
    const { stream, firstSequence, count, lastHlc } = run;
    if (this.#streams.isDropped(stream.logId)) return;
    const last = this.#last(stream);
    if (firstSequence > last + 1) throw gap(stream, firstSequence, last);
    this.#expected.set(streamKey(stream), Math.max(last, firstSequence + count - 1));
    this.#parts.writer.observe(lastHlc);
  }

  /** Entries behind rows can only follow when those are merged, which takes several steps. */
  #behindRows<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#merging === undefined ? work() : this.#merging.then(work);
  }

  async #skip(stream: StreamId, firstSequence: number): Promise<void> {
    if (!this.hasRows(stream.logId)) {
      await this.#store({ kind: 'originSkip', stream, firstSequence });
      return;
    }
    // Rows have brought it there when they were durable, or they did not come whole.
    const last = this.#streams.get(stream)?.lastSequence ?? 0;
    if (last >= firstSequence - 1 || this.#streams.isDropped(stream.logId)) return;
    this.#expected.delete(streamKey(stream));
    throw gap(stream, firstSequence, last);
  }

  async #merge(keyspaceId: number, page: GivenPage): Promise<void> {
    const { own, maxCommandBytes } = this.#parts;
    const propose = (id: number, bytes: Uint8Array) =>
      this.#store({ kind: 'keyspaceRows', keyspaceId: id, page: bytes });
    await mergePage({ own, maxCommandBytes, propose }, keyspaceId, page);
    for (const { hlc } of page.end?.positions ?? []) this.#parts.writer.observe(hlc);
  }

  async #propose(runs: readonly Run[]): Promise<void> {
    this.#inFlight++;
    try {
      await Promise.all(this.#commands(runs).map((some) => this.#store({ kind: 'originReceive', runs: some })));
      for (const { stream, firstSequence, count } of runs) {
        const last = this.#streams.get(stream)?.lastSequence ?? 0;
        // One before it failed, and took this with it.
        if (last < firstSequence + count - 1 && !this.#streams.isDropped(stream.logId)) {
          throw gap(stream, firstSequence, last);
        }
      }
    } catch (error) {
      for (const { stream } of runs) this.#expected.delete(streamKey(stream));
      throw error;
    } finally {
      this.#inFlight--;
      if (this.#inFlight === 0) this.#expected.clear();
    }
  }

  async #store(body: OriginCommand): Promise<void> {
    await this.#insist(() => this.#parts.own.propose(body));
  }

  /** A disk that is full, slow or silent is waited for: whoever ships has no more credit meanwhile. */
  async #insist<Result>(work: () => Promise<Result>): Promise<Result> {
    const { clock, signal } = this.#parts;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        const isPassing = error instanceof ServerError && passing.has(error.code);
        if (!isPassing || signal.aborted) throw error;
      }
      await delay(clock, retryMs, signal);
    }
  }

  /** Runs as far as they fit into one command each. */
  #commands(runs: readonly Run[]): Run[][] {
    const commands: Run[][] = [];
    let bytes = Number.POSITIVE_INFINITY;
    for (const run of runs) {
      const runBytes = run.bytes.length + runOverheadBytes;
      if (bytes + runBytes > this.#parts.maxCommandBytes) {
        commands.push([]);
        bytes = 0;
      }
      (commands.at(-1) as Run[]).push(run);
      bytes += runBytes;
    }
    return commands;
  }

  async #ordered(work: Promise<unknown>): Promise<void> {
    const before = this.#receiving;
    const done = Promise.all([before, work.catch(() => undefined)]);
    this.#receiving = done;
    await before;
    await work;
  }

  #shown(streams: readonly StreamCounters[], dropped: readonly number[], runs: readonly AcceptedRun[]): void {
    for (const { run } of runs) this.#recent.add(run);
    for (const logId of dropped) this.#recent.forgetLog(logId);
    const observer = this.#observer;
    if (observer === undefined) return;
    // The store tells of what is there from outside of its methods, and of the state machine's.
    queueMicrotask(() => {
      if (streams.length > 0) observer.onPositions(streams.map(positionOf));
      if (streams.some(({ origin }) => origin === this.ownOrigin)) observer.onMarks([this.#ownMark()]);
      for (const logId of dropped) observer.onLogRemoved(logId);
    });
  }
}

function positionOf({ logId, origin, epoch, firstSequence, lastSequence, lastHlc }: StreamCounters): StreamPosition {
  return { stream: { logId, origin, epoch }, firstSequence, lastSequence, lastHlc };
}

function gap({ logId, origin, epoch }: StreamId, firstSequence: number, last: number): ReplicationError {
  const where = `log ${logId}, origin ${origin}, epoch ${epoch}`;
  return new ReplicationError('GAP', `entries from ${firstSequence} on of ${where} do not follow ${last}`);
}
