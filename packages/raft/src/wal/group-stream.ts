/**
 * One group's log: what is in memory, and how it gets into the group's stream.
 *
 * What is written is in the view at once. Writes settle in their order, whatever the write-ahead log says first: it may
 * refuse one (the queue is full) while those before it are still on their way. Each keeps what it replaced, until it is
 * durable.
 *
 *   6 durable   7 refused   8 durable, behind the hole
 *
 * Then 8 and 7 are taken back, in this order, and the next write is number 7 again. The records of 8 stay in the stream;
 * whoever reads it knows by the numbers that they do not count (stream-fold.ts).
 */
import { invariant } from '@shanghai/env';
import { type Wal, WalError } from '@shanghai/wal';
import type { ConfState } from '../core/configuration/configuration.js';
import { type Entry, type HardState, isEmptyHardState } from '../core/entry.js';
import { RaftError } from '../core/raft-error.js';
import type { LogWrite } from '../ports/group-log.js';
import { LogView } from './log-view.js';
import type { FoldedStream } from './stream-fold.js';
import type { WaitingWrites } from './waiting-writes.js';
import { type EncodedRecord, type GroupWrite, type WriteEncoder, writeKind } from './write-record.js';

/** What the groups of a log share. */
export interface StreamContext {
  readonly wal: Wal;
  /** Whether what it has appended is synced. */
  readonly isSynced: boolean;
  readonly encoder: WriteEncoder;
  readonly waiting: WaitingWrites;
  /** Told when a group gave up what it does not need. */
  readonly onReleased: () => void;
}

/** A write on its way. */
interface PendingWrite {
  readonly number: number;
  /** What it was written to, and the last entry then. */
  readonly view: LogView;
  readonly records: readonly { readonly firstIndex: number }[];
  readonly lastIndex: number;
  /** What was before; entries from `appendedFrom` on, where that is not 0, took the place of `removed`. */
  readonly hardStateBefore: HardState;
  readonly viewBefore: LogView;
  readonly appendedFrom: number;
  readonly removed: readonly Entry[];
  readonly setsStart: boolean;
  readonly onDurable: ((lsn: number) => void) | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  outcome: 'waiting' | 'durable' | Error;
  lsn: number;
}

/** What is to be written, and what becomes of the view and of memory. */
interface WritePlan extends GroupWrite {
  /** Told before the promise resolves. */
  readonly onDurable?: (lsn: number) => void;
  readonly viewBefore?: LogView;
  readonly removed?: readonly Entry[];
  readonly hardStateBefore?: HardState;
}

const nothing: GroupWrite = { hardState: undefined, base: undefined, entries: [] };

/** A group's stream, for as long as the log is open. */
export class GroupStream {
  readonly groupId: number;
  readonly #context: StreamContext;
  readonly #recordOptions: { readonly stream: number; readonly kind: number };
  #view: LogView;
  #hardState: HardState;
  /** Of the last write that was begun. */
  #number: number;
  readonly #pending: PendingWrite[] = [];
  /** Writes that wait until the first one of all is durable: with nothing before it, a hole could not be told. */
  #held: (() => void)[] = [];
  #isBegun: boolean;
  #failure: RaftError | undefined;

  constructor(groupId: number, folded: Omit<FoldedStream, 'neededLsn'>, context: StreamContext) {
    this.groupId = groupId;
    this.#context = context;
    this.#recordOptions = { stream: groupId, kind: writeKind };
    this.#view = folded.view;
    this.#hardState = folded.hardState;
    this.#number = folded.number;
    this.#isBegun = !this.isEmpty;
  }

  get view(): LogView {
    return this.#view;
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  /** Whether something was written. */
  get isEmpty(): boolean {
    return this.#number === 0 && this.#view.lastIndex === 0 && this.#hardState.term === 0;
  }

  /** `GroupLog.append`. */
  append(write: LogWrite): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { snapshot } = write;
    const start = (snapshot ?? this.#view.start).index;
    const entries = behind(start, write.entries);
    const isVoid = isEmptyHardState(write.hardState);
    if (snapshot === undefined && entries.length === 0 && isVoid) return this.#settled();
    // What came before it was refused, and its caller has not heard of that yet.
    const isBehindHole = snapshot === undefined && (entries[0]?.index ?? 0) > this.#view.lastIndex + 1;
    if (isBehindHole) return Promise.reject(new RaftError('LOG_FULL', `no space for the log of group ${this.groupId}`));
    const hardStateBefore = this.#hardState;
    const viewBefore = this.#view;
    if (!isVoid) this.#hardState = write.hardState;
    if (snapshot === undefined) {
      const removed = viewBefore.append(entries);
      const hardState = isVoid ? undefined : write.hardState;
      return this.#write({ hardState, base: undefined, entries, removed, hardStateBefore, viewBefore });
    }
    invariant(start >= viewBefore.start.index, `a snapshot at ${start} behind ${viewBefore.start.index}`);
    this.#view = new LogView(snapshot);
    this.#view.append(entries);
    // What came before is to be let go, the hard state with it.
    const base = { ...snapshot, kind: 'snapshot' } as const;
    const onDurable = (lsn: number) => void this.#release(lsn - 1).catch(() => undefined);
    return this.#write({ hardState: this.#hardState, base, entries, hardStateBefore, viewBefore, onDurable });
  }

  /** `GroupLog.compact`, of entries that are not given up yet. */
  async compact(index: number, confState: ConfState): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const view = this.#view;
    const term = view.term(index);
    invariant(typeof term === 'number', `compacting up to ${index}, which is ${term}`);
    if (index <= view.start.index) return;
    let neededLsn = 0;
    const onDurable = (lsn: number) => {
      view.compact({ index, term, confState });
      neededLsn = Math.min(lsn, view.places.lsnOf(index + 1) ?? lsn);
    };
    const base = { kind: 'compaction', index, term, confState } as const;
    await this.#write({ hardState: this.#hardState, base, entries: [], onDurable });
    await this.#release(neededLsn - 1);
    this.#context.onReleased();
  }

  /** Writes all that is needed anew, so that nothing older is. Not where the log is about to begin elsewhere. */
  async rewrite(): Promise<void> {
    if (this.#failure !== undefined || this.#pending.some(({ setsStart }) => setsStart)) return;
    const view = this.#view;
    let neededLsn = 0;
    const onDurable = (lsn: number) => {
      neededLsn = lsn;
    };
    const base = { ...view.start, kind: 'snapshot' } as const;
    await this.#write({ hardState: this.#hardState, base, entries: view.all(), onDurable });
    await this.#release(neededLsn - 1);
  }

  /** Resolves when everything begun so far has settled, however. */
  async settle(): Promise<void> {
    while (this.#pending.length > 0) await this.#settled().catch(() => undefined);
  }

  /** What cuts off must outlast what is cut off: a log that acknowledges before it syncs could lose the one and not the other. */
  async #release(lsn: number): Promise<void> {
    const { wal, isSynced } = this.#context;
    if (!isSynced) await wal.flush().catch((error: Error) => Promise.reject(this.#errorOf(error)));
    wal.release(this.groupId, lsn);
  }

  /** Resolves in its turn. */
  #settled(): Promise<void> {
    if (this.#pending.length === 0) return Promise.resolve();
    return this.#queue([], nothing, this.#number, 'durable');
  }

  #write(plan: WritePlan): Promise<void> {
    const number = ++this.#number;
    const records = this.#context.encoder.encode(number, plan);
    const promise = this.#queue(records, plan, number, 'waiting');
    const pending = this.#pending.at(-1) as PendingWrite;
    if (this.#isBegun || number === 1) this.#send(pending, records);
    else {
      const own = records.map(({ payload, firstIndex }) => ({ payload: payload.slice(), firstIndex }));
      this.#held.push(() => this.#send(pending, own));
    }
    return promise;
  }

  #send(pending: PendingWrite, records: readonly EncodedRecord[]): void {
    const { wal, waiting } = this.#context;
    const token = waiting.begin();
    const options = this.#recordOptions;
    const [first] = records as [EncodedRecord];
    const appended =
      records.length === 1
        ? wal.append(first.payload, options)
        : wal.appendBatch(records.map(({ payload }) => ({ payload, ...options })));
    appended.then(
      (lsn) => {
        waiting.end(token);
        pending.lsn = lsn;
        this.#onOutcome(pending, 'durable');
      },
      (error: unknown) => {
        waiting.end(token);
        this.#onOutcome(pending, error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  #queue(
    records: PendingWrite['records'],
    plan: WritePlan,
    number: number,
    outcome: 'waiting' | 'durable',
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({
        number,
        view: this.#view,
        records,
        lastIndex: plan.entries.at(-1)?.index ?? 0,
        hardStateBefore: plan.hardStateBefore ?? this.#hardState,
        viewBefore: plan.viewBefore ?? this.#view,
        appendedFrom: plan.removed === undefined ? 0 : (plan.entries[0]?.index ?? 0),
        setsStart: plan.base !== undefined,
        removed: plan.removed ?? [],
        onDurable: plan.onDurable,
        resolve,
        reject,
        outcome,
        lsn: 0,
      });
    });
  }

  /** One that was taken back already is in nobody's turn any more. */
  #onOutcome(pending: PendingWrite, outcome: 'durable' | Error): void {
    pending.outcome = outcome;
    for (let head = this.#pending[0]; head !== undefined && head.outcome !== 'waiting'; head = this.#pending[0]) {
      if (head.outcome !== 'durable') {
        this.#fail(head, head.outcome);
        return;
      }
      this.#pending.shift();
      this.#onDurable(head);
      head.resolve();
    }
  }

  #onDurable(write: PendingWrite): void {
    const { records, lsn, lastIndex, view } = write;
    for (let i = 0; i < records.length; i++) {
      const { firstIndex } = records[i] as EncodedRecord;
      if (firstIndex > 0) view.places.note(firstIndex, (records[i + 1]?.firstIndex ?? lastIndex + 1) - 1, lsn + i);
    }
    write.onDurable?.(lsn);
    if (this.#isBegun) return;
    this.#isBegun = true;
    for (const send of this.#held.splice(0)) send();
  }

  /** Takes back everything from a write on, the last one first. */
  #fail(first: PendingWrite, cause: Error): void {
    const failed = this.#pending.splice(0);
    this.#held = [];
    const error = this.#errorOf(cause);
    for (let i = failed.length - 1; i >= 0; i--) this.#takeBack(failed[i] as PendingWrite);
    this.#number = first.number - 1;
    if (error.code === 'LOG_FAILED') this.#failure = error;
    for (const { reject } of failed) reject(error);
  }

  #takeBack({ viewBefore, appendedFrom, removed, hardStateBefore }: PendingWrite): void {
    this.#hardState = hardStateBefore;
    this.#view = viewBefore;
    if (appendedFrom === 0) return;
    viewBefore.cut(appendedFrom);
    viewBefore.append(removed);
  }

  #errorOf(cause: Error): RaftError {
    const isSoft = cause instanceof WalError && (cause.code === 'DISK_FULL' || cause.code === 'QUEUE_FULL');
    if (isSoft)
      return new RaftError('LOG_FULL', `no space for the log of group ${this.groupId}: ${cause.message}`, { cause });
    return new RaftError('LOG_FAILED', `the log of group ${this.groupId} cannot be written: ${cause.message}`, {
      cause,
    });
  }
}

/** Without those that the log does not hold any more; mostly all of them. */
function behind(start: number, entries: readonly Entry[]): readonly Entry[] {
  return entries.length === 0 || (entries[0] as Entry).index > start
    ? entries
    : entries.filter(({ index }) => index > start);
}
