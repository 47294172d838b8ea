import { invariant } from '@shanghai/env';
import { FrameBatch } from '../core/frame-batch.js';
import { type RecordRun, runPayloadBytes } from '../core/record-run.js';
import type { Lsn, WalRecord } from '../wal.js';

type Resolve = (lsn: Lsn) => void;
type Reject = (error: Error) => void;

const captured: { resolve: Resolve; reject: Reject } = { resolve: () => undefined, reject: () => undefined };

/** One function for all promises: a closure for each append would be a third of its cost. */
function capture(resolve: Resolve, reject: Reject): void {
  captured.resolve = resolve;
  captured.reject = reject;
}

/** A batch and those who wait for it, in arrays: no object for each append beside its promise. */
export class AppendQueue {
  readonly batch = new FrameBatch();
  readonly #resolves: Resolve[] = [];
  readonly #rejects: Reject[] = [];
  /** Index in the batch of each waiter's first record. */
  readonly #firsts: number[] = [];
  readonly #flushes: { resolve: () => void; reject: Reject }[] = [];

  /** Waiters for records. */
  get appends(): number {
    return this.#resolves.length;
  }

  /** Whether somebody asked for a sync. */
  get hasFlushes(): boolean {
    return this.#flushes.length > 0;
  }

  get isEmpty(): boolean {
    return this.#resolves.length === 0 && this.#flushes.length === 0;
  }

  add(payload: Uint8Array, stream: number, kind: number): Promise<Lsn> {
    this.batch.beginUnit(1, payload.length);
    this.#firsts.push(this.batch.records);
    this.batch.add(payload, stream, kind);
    return this.#wait();
  }

  addAll(records: readonly WalRecord[], payloadBytes: number): Promise<Lsn> {
    this.batch.beginUnit(records.length, payloadBytes);
    this.#firsts.push(this.batch.records);
    for (const { payload, stream = 0, kind = 0 } of records) this.batch.add(payload, stream, kind);
    return this.#wait();
  }

  addRun(run: RecordRun): Promise<Lsn> {
    this.batch.beginUnit(run.count, runPayloadBytes(run.bytes, run.count));
    this.#firsts.push(this.batch.records);
    this.batch.addRun(run);
    return this.#wait();
  }

  /** A frame of its own that replaces a stream. */
  addReplacement(stream: number, records: readonly Omit<WalRecord, 'stream'>[], payloadBytes: number): Promise<Lsn> {
    this.batch.beginReplacement(records.length, payloadBytes);
    this.#firsts.push(this.batch.records);
    for (const { payload, kind = 0 } of records) this.batch.add(payload, stream, kind);
    if (records.length === 0) this.batch.add(new Uint8Array(0), stream, 0);
    this.batch.endReplacement();
    return this.#wait();
  }

  addFlush(): Promise<void> {
    return new Promise((resolve, reject) => this.#flushes.push({ resolve, reject }));
  }

  /** Resolves those whose records are among the first `written` (record 0 has `firstLsn`), rejects the others, and empties the queue. */
  settle(firstLsn: Lsn, written: number, error: Error | undefined): void {
    for (let i = 0; i < this.#firsts.length; i++) {
      const first = this.#firsts[i] as number;
      if (first < written) (this.#resolves[i] as Resolve)(firstLsn + first);
      else this.#rejectAt(i, error);
    }
    for (const { resolve, reject } of this.#flushes) error === undefined ? resolve() : reject(error);
    this.#clear();
  }

  /** Rejects everybody and empties the queue. */
  fail(error: Error): void {
    for (const reject of this.#rejects) reject(error);
    for (const { reject } of this.#flushes) reject(error);
    this.#clear();
  }

  #rejectAt(index: number, error: Error | undefined): void {
    invariant(error !== undefined, 'a record was not written and nothing says why');
    (this.#rejects[index] as Reject)(error);
  }

  #wait(): Promise<Lsn> {
    const promise = new Promise<Lsn>(capture);
    this.#resolves.push(captured.resolve);
    this.#rejects.push(captured.reject);
    return promise;
  }

  #clear(): void {
    this.#resolves.length = 0;
    this.#rejects.length = 0;
    this.#firsts.length = 0;
    this.#flushes.length = 0;
    this.batch.reset();
  }
}
