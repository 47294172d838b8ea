/**
 * Packs: plain appends of one turn to one log as one call.
 *
 * An append as a call of its own costs a promise chain, a timer, an entry in two tables and two messages within messages,
 * on both sides several times what its bytes cost. Plain appends (no producer, no expected sequence, nothing of their own
 * to wait for) differ in nothing but their records, so those made in one turn of the event loop share all that: one deadline,
 * one number on the stream, one body of bytes. What remains of an append is its promise and its place among the others.
 *
 * Each append keeps its own outcome: the node says of every one where it lies, or why it was refused. A pack that never
 * reached a node that takes packs is given back (`onUnpackable`), and its appends go as calls of their own.
 */
import type { Acknowledgement, LogAppendPack, LogPackAnswer } from '@shanghai/proto';
import { ClientError } from '../client-error.js';
import type { LogAppended } from '../named-logs.js';
import { errorOfDetail } from '../wire/error-wire.js';
import { type PackableRecord, packedBytes, packRecords } from '../wire/pack-wire.js';
import { toNumber } from '../wire/wire-values.js';
import type { CallEnvironment } from './call-environment.js';
import type { PipelineAnswer } from './pending-call.js';
import type { Pipeline } from './pipeline.js';

/** An append of a pack that goes on its own. */
export interface UnpackedAppend {
  readonly log: string;
  readonly acknowledgement: Acknowledgement;
  readonly records: readonly PackableRecord[];
  /** What is left of its time, in milliseconds. */
  readonly timeoutMs: number;
}

/** The packs of a client. */
export class LogPacks {
  readonly #environment: CallEnvironment;
  readonly #pipeline: Pipeline;
  readonly #onUnpackable: (append: UnpackedAppend) => Promise<LogAppended>;
  /** Those that still take appends, by log. */
  readonly #open = new Map<string, Pack>();

  constructor(
    environment: CallEnvironment,
    pipeline: Pipeline,
    onUnpackable: (append: UnpackedAppend) => Promise<LogAppended>,
  ) {
    this.#environment = environment;
    this.#pipeline = pipeline;
    this.#onUnpackable = onUnpackable;
  }

  /** Appends behind all that was called before for the same log. Rejects with a `ClientError`; throws `RangeError` for one too large. */
  append(log: string, acknowledgement: Acknowledgement, records: readonly PackableRecord[]): Promise<LogAppended> {
    let bytes = 0;
    for (const record of records) bytes += packedBytes(record);
    const refusal = this.#pipeline.take(bytes, {});
    if (refusal !== undefined) return Promise.reject(refusal);
    const pack = this.#packFor(log, acknowledgement, bytes);
    return new Promise((resolve, reject) => pack.add(records, bytes, resolve, reject));
  }

  /** What is called from here on for a log is behind its pack. */
  seal(log: string): void {
    const pack = this.#open.get(log);
    if (pack !== undefined) this.#send(pack);
  }

  #packFor(log: string, acknowledgement: Acknowledgement, bytes: number): Pack {
    const { options } = this.#environment;
    const open = this.#open.get(log);
    if (open !== undefined) {
      const { appends } = open;
      const hasRoom =
        appends < Math.min(options.maxMessageRequests, options.maxInFlightRequests) &&
        open.bytes + bytes <= options.maxMessageBytes;
      if (hasRoom && open.acknowledgement === acknowledgement) return open;
      this.#send(open);
    }
    const pack = new Pack(log, acknowledgement, options.clock.monotonicMs());
    this.#open.set(log, pack);
    queueMicrotask(() => this.#send(pack));
    return pack;
  }

  #send(pack: Pack): void {
    if (pack.isSealed) return;
    pack.isSealed = true;
    if (this.#open.get(pack.log) === pack) this.#open.delete(pack.log);
    const { timeoutMs } = this.#environment.options;
    const call = {
      kind: 'once',
      body: { $case: 'logPack', value: pack.message() },
      bytes: pack.bytes,
      anywhere: false,
      requests: pack.appends,
    } as const;
    this.#pipeline.submitTaken(call, { timeoutMs }).then(
      (answer) => pack.answered(answer),
      (error: unknown) => {
        if (isUnpackable(error)) pack.unpack(this.#leftMs(pack), this.#onUnpackable);
        else pack.failed(error);
      },
    );
  }

  #leftMs({ beganMs }: Pack): number {
    const { clock, timeoutMs } = this.#environment.options;
    return Math.max(1, timeoutMs - (clock.monotonicMs() - beganMs));
  }
}

/** The pipeline's word for a pack that it had nobody to send to. */
export function unpackable(): ClientError {
  return new ClientError('UNSUPPORTED', 'the node takes no packs of appends', { sent: false });
}

function isUnpackable(error: unknown): boolean {
  return error instanceof ClientError && error.code === 'UNSUPPORTED' && !error.sent;
}

class Pack {
  readonly log: string;
  readonly acknowledgement: Acknowledgement;
  readonly beganMs: number;
  isSealed = false;
  /** Of its records, packed. */
  bytes = 0;
  readonly #records: PackableRecord[] = [];
  /** Where one has not exactly one record. */
  #counts: number[] | undefined;
  readonly #resolves: ((appended: LogAppended) => void)[] = [];
  readonly #rejects: ((error: unknown) => void)[] = [];

  constructor(log: string, acknowledgement: Acknowledgement, beganMs: number) {
    this.log = log;
    this.acknowledgement = acknowledgement;
    this.beganMs = beganMs;
  }

  get appends(): number {
    return this.#resolves.length;
  }

  add(
    records: readonly PackableRecord[],
    bytes: number,
    resolve: (appended: LogAppended) => void,
    reject: (error: unknown) => void,
  ): void {
    if (records.length !== 1) this.#counts ??= this.#resolves.map(() => 1);
    this.#counts?.push(records.length);
    for (const record of records) this.#records.push(record);
    this.bytes += bytes;
    this.#resolves.push(resolve);
    this.#rejects.push(reject);
  }

  message(): LogAppendPack {
    return {
      log: this.log,
      acknowledgement: this.acknowledgement,
      records: packRecords(this.#records, this.bytes),
      counts: this.#counts ?? [],
    };
  }

  /** Tells each append what became of it. */
  answered(answer: PipelineAnswer): void {
    if (answer.$case !== 'logPack') {
      this.failed(misread(`a pack was answered with '${answer.$case}'`));
      return;
    }
    const told = this.#tell(answer.value);
    if (told < this.appends)
      this.#rejectFrom(told, misread(`of ${this.appends} appends of a pack ${told} were answered`));
  }

  failed(error: unknown): void {
    this.#rejectFrom(0, error);
  }

  /** Each append as a call of its own, in their order. */
  unpack(timeoutMs: number, send: (append: UnpackedAppend) => Promise<LogAppended>): void {
    const { log, acknowledgement } = this;
    let at = 0;
    for (const [i, resolve] of this.#resolves.entries()) {
      const records = this.#records.slice(at, at + this.#countOf(i));
      at += records.length;
      send({ log, acknowledgement, records, timeoutMs }).then(resolve, this.#rejects[i]);
    }
  }

  /** How many were told. */
  #tell(answer: LogPackAnswer): number {
    const origin = toNumber(answer.origin);
    const epoch = toNumber(answer.epoch);
    let at = 0;
    for (const { appends, firstSequence: first, timeMs: time, error } of answer.ranges) {
      const end = Math.min(at + appends, this.appends);
      const timeMs = toNumber(time);
      let firstSequence = toNumber(first);
      for (; at < end; at++) {
        if (error !== undefined) {
          this.#rejects[at]?.(errorOfDetail(error));
          continue;
        }
        const lastSequence = firstSequence + this.#countOf(at) - 1;
        // Each field by its name: what a spread makes is an object of the slow kind, and resolving with one costs 3 µs.
        this.#resolves[at]?.({ origin, epoch, firstSequence, lastSequence, timeMs, duplicate: false });
        firstSequence = lastSequence + 1;
      }
    }
    return at;
  }

  #rejectFrom(from: number, error: unknown): void {
    for (let i = from; i < this.#rejects.length; i++) this.#rejects[i]?.(error);
  }

  #countOf(append: number): number {
    return this.#counts?.[append] ?? 1;
  }
}

/** The pack was received: what is not answered may have been appended. */
function misread(message: string): ClientError {
  return new ClientError('OUTCOME_UNKNOWN', message, { answered: true });
}
