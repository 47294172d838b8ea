/**
 * A producer: appends with numbers, so that each record is in the log once, however often it had to be sent.
 *
 * The log remembers, of each producer, its epoch and the number of its last record. A producer that begins with a new
 * epoch shuts out whoever used its id before; one that resumes goes on with the numbers, and is told how many records of
 * its input are in the log already. Appends may be made at once: they travel together and reach the log in their order.
 * Where one of them had to be sent again, those behind it are refused as out of order until it is there, and then sent
 * again, too. After a failure that leaves a gap the producer is of no use: `resume` finds out where it stands.
 */
import { ClientError } from './client-error.js';
import type { CallOptions } from './key-value-store.js';
import type { LogAppended, LogRecordInput, NamedLogs, ProducerProgress } from './named-logs.js';

/** Who produces. */
export interface LogProducerOptions extends CallOptions {
  /** 1 or more; whoever shares it shuts the others out. */
  readonly producerId: number;
  /** Goes on with the epoch and numbers that the log remembers. Default false: begins a new epoch with number 1. */
  readonly resume?: boolean;
}

/** What a producer takes beside its records. */
export interface ProduceOptions extends CallOptions {
  readonly expectedLastSequence?: number;
}

/** A producer of one log. */
export interface LogProducer {
  readonly producerId: number;
  readonly epoch: number;
  /** The number that the next record gets, from 1: so many less one were taken before. */
  readonly nextSequence: number;
  /**
   * Appends records once. Where the log has them already and no longer knows where, `firstSequence` and `lastSequence`
   * are 0 and `duplicate` is true. Rejects with a `ClientError`; after one that leaves a gap all further appends are
   * `CONFLICT`, until `resume`.
   */
  append(records: LogRecordInput | readonly LogRecordInput[], options?: ProduceOptions): Promise<LogAppended>;
  /** Asks the log where the producer stands and goes on from there; appends under way must have settled. */
  resume(options?: CallOptions): Promise<void>;
}

/** Opens a producer over a client's logs. */
export async function openLogProducer(
  logs: NamedLogs,
  name: string,
  options: LogProducerOptions,
): Promise<LogProducer> {
  const { producerId, resume = false, ...call } = options;
  const known = await logs.producer(name, producerId, call);
  if (known === undefined) return new Producer(logs, name, producerId, { epoch: 1, lastSequence: 0 });
  return new Producer(logs, name, producerId, resume ? known : { epoch: known.epoch + 1, lastSequence: 0 });
}

class Producer implements LogProducer {
  readonly producerId: number;
  readonly #logs: NamedLogs;
  readonly #name: string;
  #epoch: number;
  #next: number;
  /** The appends under way; each settles, and never rejects. */
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;

  constructor(
    logs: NamedLogs,
    name: string,
    producerId: number,
    { epoch, lastSequence }: Pick<ProducerProgress, 'epoch' | 'lastSequence'>,
  ) {
    this.#logs = logs;
    this.#name = name;
    this.producerId = producerId;
    this.#epoch = epoch;
    this.#next = lastSequence + 1;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get nextSequence(): number {
    return this.#next;
  }

  append(records: LogRecordInput | readonly LogRecordInput[], options: ProduceOptions = {}): Promise<LogAppended> {
    const count = Array.isArray(records) ? records.length : 1;
    const sequence = this.#next;
    this.#next += count;
    const before = this.#pending > 0 ? this.#last : undefined;
    this.#pending++;
    const appended = this.#send(records, sequence, count, options, before);
    const settled = appended.then(
      () => undefined,
      () => undefined,
    );
    this.#last = Promise.all([this.#last, settled]).then(() => {
      this.#pending--;
    });
    return appended;
  }

  async resume(options: CallOptions = {}): Promise<void> {
    await this.#last;
    const known = await this.#logs.producer(this.#name, this.producerId, options);
    if (known !== undefined && known.epoch > this.#epoch) {
      const message = `producer ${this.producerId} has begun epoch ${known.epoch}: somebody else uses its id`;
      throw new ClientError('CONFLICT', message, { details: { producerEpoch: known.epoch }, sent: false });
    }
    this.#next = (known?.epoch === this.#epoch ? known.lastSequence : 0) + 1;
  }

  async #send(
    records: LogRecordInput | readonly LogRecordInput[],
    sequence: number,
    count: number,
    options: ProduceOptions,
    before: Promise<unknown> | undefined,
  ): Promise<LogAppended> {
    const producer = { producerId: this.producerId, epoch: this.#epoch, sequence };
    let earlier = before;
    for (;;) {
      try {
        return await this.#logs.append(this.#name, records, { ...options, producer });
      } catch (error) {
        const expected = expectedSequence(error);
        if (expected === undefined) throw error;
        // Accepted before, so long ago that the log no longer knows where.
        if (expected >= sequence + count) return nowhere;
        // It overtook an append that had to be sent again; once that one is there it has its turn.
        if (expected > sequence || earlier === undefined) throw error;
        await earlier;
        earlier = undefined;
      }
    }
  }
}

const nowhere: LogAppended = { origin: 0, epoch: 0, firstSequence: 0, lastSequence: 0, timeMs: 0, duplicate: true };

function expectedSequence(error: unknown): number | undefined {
  if (!(error instanceof ClientError) || error.code !== 'CONFLICT') return undefined;
  const { expectedSequence: expected } = error.details;
  return typeof expected === 'number' ? expected : undefined;
}
