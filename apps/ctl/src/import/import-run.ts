/**
 * Writes records in batches, several in flight. Two rules make it trustworthy: a key that is in flight is not sent
 * again before its answer (so of two records with one key the later wins, as in the input), and progress is told as
 * the number of records before which everything is acknowledged, which is what `--skip` goes on from.
 */
import type { OperationResult, WriteOperation } from '../connection.js';
import { CtlError } from '../ctl-error.js';
import { type ImportRecord, isRejected, type RejectedRecord } from './import-records.js';

/** How to import. */
export interface ImportOptions {
  /** Records a batch, ≥ 1. */
  readonly batchRecords: number;
  /** Batches in flight, ≥ 1. */
  readonly concurrency: number;
  /** Go on behind records that are refused; failures of the connection end the import in any case. */
  readonly keepGoing: boolean;
  readonly signal: AbortSignal;
  /** Wall time, for records that expire. */
  readonly nowMs: () => number;
  /** Called with every batch's acknowledged records before they count as such. */
  readonly onAcknowledged: (records: readonly ImportRecord[]) => void;
  readonly onProgress: (endOffset: number, acknowledged: number) => void;
  readonly onRejected: (message: string) => void;
}

/** How far an import came. */
export interface ImportSummary {
  readonly acknowledged: number;
  readonly rejected: number;
  /** Records of the input whose time had passed. */
  readonly expired: number;
  /** Every record before this one is acknowledged, rejected or expired: `--skip` for the next run. */
  readonly next: number;
  /** Why it ended early. */
  readonly error?: unknown;
}

/** Sends a batch: one result an operation. */
export type WriteBatch = (operations: readonly WriteOperation[]) => Promise<readonly OperationResult[]>;

/** A batch is sent at this size though it holds fewer records than allowed. */
const maxBatchBytes = 1024 * 1024;

/** Imports until the input ends, a batch fails, or the signal aborts; batches in flight are always waited for. */
export async function runImport(
  records: AsyncIterable<ImportRecord | RejectedRecord>,
  write: WriteBatch,
  options: ImportOptions,
): Promise<ImportSummary> {
  const run = new ImportRun(write, options);
  try {
    for await (const record of records) {
      if (options.signal.aborted || run.failed) break;
      await run.take(record);
    }
    if (!options.signal.aborted && !run.failed) run.send();
  } catch (error) {
    run.fail(error);
  }
  await run.settle();
  return run.summary();
}

class ImportRun {
  readonly #write: WriteBatch;
  readonly #options: ImportOptions;
  #batch: ImportRecord[] = [];
  #batchBytes = 0;
  #batchKeys = new Set<string>();
  readonly #inFlight = new Map<readonly ImportRecord[], Promise<void>>();
  readonly #keysInFlight = new Set<string>();
  /** First records of batches that failed. */
  readonly #gaps: number[] = [];
  #acknowledged = 0;
  #rejected = 0;
  #expired = 0;
  #nextUntaken = 0;
  #error: unknown;

  constructor(write: WriteBatch, options: ImportOptions) {
    this.#write = write;
    this.#options = options;
  }

  get failed(): boolean {
    return this.#error !== undefined;
  }

  fail(error: unknown): void {
    this.#error ??= error;
  }

  /** Adds a record to the batch; waits while too much is in flight. */
  async take(record: ImportRecord | RejectedRecord): Promise<void> {
    if (isRejected(record)) {
      this.#reject(record.number, record.error);
      return;
    }
    if (record.expiresAtMs !== undefined && record.expiresAtMs <= this.#options.nowMs()) {
      this.#expired += 1;
      this.#nextUntaken = record.number + 1;
      return;
    }
    const key = keyText(record);
    // Within a batch the operations are applied in order; between batches only waiting keeps it.
    while (this.#keysInFlight.has(key) && !this.failed) await Promise.race(this.#inFlight.values());
    if (this.failed) return;
    this.#batch.push(record);
    this.#batchKeys.add(key);
    this.#batchBytes += record.key.length + record.value.length;
    this.#nextUntaken = record.number + 1;
    if (this.#batch.length < this.#options.batchRecords && this.#batchBytes < maxBatchBytes) return;
    this.send();
    while (this.#inFlight.size >= this.#options.concurrency) await Promise.race(this.#inFlight.values());
  }

  /** Sends what was taken and not yet sent. */
  send(): void {
    const batch = this.#batch;
    if (batch.length === 0) return;
    const keys = this.#batchKeys;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#batchKeys = new Set();
    for (const key of keys) this.#keysInFlight.add(key);
    const sent = this.#send(batch)
      .catch((error: unknown) => {
        this.#gaps.push(batch[0]?.number ?? 0);
        this.fail(error);
      })
      .finally(() => {
        for (const key of keys) this.#keysInFlight.delete(key);
        this.#inFlight.delete(batch);
      });
    this.#inFlight.set(batch, sent);
  }

  async settle(): Promise<void> {
    await Promise.all(this.#inFlight.values());
  }

  summary(): ImportSummary {
    const unsent = this.#batch[0]?.number;
    return {
      acknowledged: this.#acknowledged,
      rejected: this.#rejected,
      expired: this.#expired,
      next: Math.min(this.#nextUntaken, ...this.#gaps, ...(unsent === undefined ? [] : [unsent])),
      ...(this.failed ? { error: this.#error } : {}),
    };
  }

  async #send(batch: readonly ImportRecord[]): Promise<void> {
    const operations = batch.map((record): WriteOperation => {
      const put = { type: 'put', key: record.key, value: record.value } as const;
      return record.expiresAtMs === undefined
        ? put
        : { ...put, ttlMs: Math.max(1, record.expiresAtMs - this.#options.nowMs()) };
    });
    const results = await this.#write(operations);
    const acknowledged = batch.filter((_, index) => results[index] !== undefined && results[index].error === undefined);
    this.#options.onAcknowledged(acknowledged);
    this.#acknowledged += acknowledged.length;
    for (const [index, record] of batch.entries()) {
      const { code, message } = results[index]?.error ?? { code: '', message: '' };
      if (code !== '') this.#refused(record, code, message);
    }
    this.#options.onProgress(batch.at(-1)?.endOffset ?? 0, this.#acknowledged);
  }

  #refused(record: ImportRecord, code: string, message: string): void {
    const error = new CtlError('INVALID_REQUEST', `record ${record.number} was refused: ${message} (${code})`, {
      details: { record: record.number, code },
    });
    if (!this.#options.keepGoing) this.#gaps.push(record.number);
    this.#reject(record.number, error);
  }

  #reject(number: number, error: CtlError): void {
    if (!this.#options.keepGoing) {
      this.fail(error);
      return;
    }
    this.#rejected += 1;
    this.#nextUntaken = Math.max(this.#nextUntaken, number + 1);
    this.#options.onRejected(error.message);
  }
}

function keyText(record: ImportRecord): string {
  return Buffer.from(record.key).toString('latin1');
}
