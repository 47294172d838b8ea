/**
 * Appends to one log that are made in the same turn become few commands.
 *
 * A command costs the group far more than a record in it: an entry, its way to the followers, an application, an answer. So
 * what was called before the present callback ends is put together, in the order of the calls, as long as that changes
 * nothing of what each caller is promised: records without conditions are one append of all their records, and those of
 * one producer are too where their numbers follow each other. An append that expects a last sequence goes alone.
 *
 * A producer may send again what it sent before, together with what is new. The whole is then refused as out of
 * sequence, and its parts are proposed one by one: each is then judged for itself.
 */
import type { LogAppendCommand } from '../apply/command.js';
import { encodeLogRecords } from '../apply/log-record-codec.js';
import { ServerError } from '../requests/server-error.js';
import type { LogAppend } from './log-requests.js';

/** Where an append's records came to lie. */
export interface AppendPlace {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly timeMs: number;
  readonly duplicate: boolean;
  /** Of the origin; absent in mode quorum. */
  readonly epoch?: number;
}

/** The log that appends go to. */
export interface BatchedLog {
  readonly logId: number;
  /** What must hold before anything is proposed; rejects where nothing may be appended. */
  ready(): Promise<void>;
  /** Rejects with the refusal of the state. Appends reach the log in the order of the calls. */
  propose(work: AppendWork): Promise<AppendPlace>;
}

/** What an append is made of, beside its log. */
export interface AppendWork extends Pick<LogAppend, 'producer' | 'expectedLastSequence'> {
  readonly recordCount: number;
  /** As `encodeLogRecords` writes them. */
  readonly recordBytes: Uint8Array;
}

/** Records of a command that was put together, and their bytes, beyond which another is begun. */
const maxBatchRecords = 10_000;
const maxBatchBytes = 1024 * 1024;

interface Waiting {
  readonly work: AppendWork;
  readonly resolve: (place: AppendPlace) => void;
  readonly reject: (error: unknown) => void;
}

interface Batch {
  readonly parts: Waiting[];
  records: number;
  bytes: number;
}

/** The appends of a node that are on their way to their groups. */
export class AppendBatches {
  readonly #waiting = new Map<number, { log: BatchedLog; appends: Waiting[] }>();

  /** Appends behind everything that was called before for the same log. */
  append(log: BatchedLog, work: AppendWork): Promise<AppendPlace> {
    return new Promise((resolve, reject) => {
      const waiting = { work, resolve, reject };
      const known = this.#waiting.get(log.logId);
      if (known !== undefined) {
        known.log = log;
        known.appends.push(waiting);
        return;
      }
      this.#waiting.set(log.logId, { log, appends: [waiting] });
      queueMicrotask(() => void this.#send(log.logId));
    });
  }

  /** One at a time for each log, so that waiting for its files turns nothing round. */
  async #send(logId: number): Promise<void> {
    for (;;) {
      const lane = this.#waiting.get(logId);
      if (lane === undefined || lane.appends.length === 0) {
        this.#waiting.delete(logId);
        return;
      }
      const { log } = lane;
      let appends: readonly Waiting[] = lane.appends;
      lane.appends = [];
      try {
        await log.ready();
        // Those that came meanwhile are behind them, and go with them.
        appends = [...appends, ...lane.appends.splice(0)];
      } catch (error) {
        for (const { reject } of appends) reject(error);
        continue;
      }
      for (const batch of batchesOf(appends)) propose(log, batch);
    }
  }
}

function batchesOf(appends: readonly Waiting[]): Batch[] {
  const batches: Batch[] = [];
  let last: Batch | undefined;
  for (const append of appends) {
    const { recordCount: records, recordBytes } = append.work;
    const bytes = recordBytes.length;
    if (last !== undefined && fits(last, append, records, bytes)) {
      last.parts.push(append);
      last.records += records;
      last.bytes += bytes;
    } else {
      last = { parts: [append], records, bytes };
      batches.push(last);
    }
  }
  return batches;
}

function fits(batch: Batch, { work }: Waiting, records: number, bytes: number): boolean {
  if (batch.records + records > maxBatchRecords || batch.bytes + bytes > maxBatchBytes) return false;
  const first = (batch.parts[0] as Waiting).work;
  if (work.expectedLastSequence !== undefined || first.expectedLastSequence !== undefined) return false;
  const { producer } = work;
  if (producer === undefined || first.producer === undefined) return producer === first.producer;
  return (
    producer.producerId === first.producer.producerId &&
    producer.epoch === first.producer.epoch &&
    producer.sequence === first.producer.sequence + batch.records
  );
}

function propose(log: BatchedLog, batch: Batch): void {
  const { parts } = batch;
  const only = parts[0] as Waiting;
  if (parts.length === 1) {
    log.propose(only.work).then(only.resolve, only.reject);
    return;
  }
  const recordBytes = Buffer.concat(
    parts.map(({ work }) => work.recordBytes),
    batch.bytes,
  );
  log.propose({ ...only.work, recordCount: batch.records, recordBytes }).then(
    (place) => {
      let { firstSequence } = place;
      for (const { work, resolve } of parts) {
        const lastSequence = firstSequence + work.recordCount - 1;
        resolve({ ...place, firstSequence, lastSequence });
        firstSequence = lastSequence + 1;
      }
    },
    (error: unknown) => {
      if (only.work.producer !== undefined && error instanceof ServerError && error.code === 'CONFLICT') {
        for (const part of parts) log.propose(part.work).then(part.resolve, part.reject);
      } else for (const { reject } of parts) reject(error);
    },
  );
}

/** What an append is made of. */
export function workOf({ records, producer, expectedLastSequence }: LogAppend): AppendWork {
  return {
    recordCount: records.length,
    recordBytes: encodeLogRecords(records),
    ...(producer === undefined ? {} : { producer }),
    ...(expectedLastSequence === undefined ? {} : { expectedLastSequence }),
  };
}

/** An append as a command of its group. */
export function appendCommand(logId: number, work: AppendWork): LogAppendCommand {
  const { recordCount, recordBytes, producer, expectedLastSequence } = work;
  return {
    kind: 'logAppend',
    logId,
    recordCount,
    recordBytes,
    ...(producer === undefined ? {} : { producer }),
    ...(expectedLastSequence === undefined ? {} : { expectedLastSequence }),
  };
}
