import { invariant } from '@shanghai/env';
import type { LogPosition as LogPositionMessage } from '@shanghai/proto';
import type { CallEnvironment } from './calls/call-environment.js';
import { callUnary } from './calls/unary-calls.js';
import { ClientError } from './client-error.js';
import type { CallOptions } from './key-value-store.js';
import type {
  CommitOptions,
  ConsumerPlace,
  LogConsumer,
  LogConsumers,
  LogPosition,
  SeekOptions,
  SeekTarget,
  SoughtPlace,
} from './log-consumers.js';
import { consumerOf, positionMessage, positionOf, seekMessage } from './wire/consumer-wire.js';
import { toLogName } from './wire/log-wire.js';
import { toNumber, toUint64 } from './wire/wire-values.js';

/** The consumers of a client's logs. */
export class LogConsumersClient implements LogConsumers {
  readonly #environment: CallEnvironment;

  constructor(environment: CallEnvironment) {
    this.#environment = environment;
  }

  async commit(
    log: string,
    consumer: string,
    position: number | readonly LogPosition[],
    options: CommitOptions = {},
  ): Promise<ConsumerPlace> {
    const list: readonly LogPosition[] = typeof position === 'number' ? [{ sequence: position }] : position;
    const request = {
      log: toLogName(log),
      consumer: toConsumerName(consumer),
      generation: toUint64(options.generation, 'generation'),
      positions: list.map(positionMessage),
    };
    // Merged by maximum: a second time changes nothing.
    return placeOf(await callUnary(this.#environment, 'commitPosition', request, 'repeatable', options));
  }

  async get(log: string, consumer: string, options?: CallOptions): Promise<LogConsumer | undefined> {
    const request = { log: toLogName(log), consumer: toConsumerName(consumer) };
    try {
      const response = await callUnary(this.#environment, 'getPosition', request, 'repeatable', options);
      invariant(response.consumer !== undefined, 'the server answered without a consumer');
      return consumerOf(response.consumer);
    } catch (error) {
      // A log that is not there is a failure, a consumer that is not there is none.
      if (error instanceof ClientError && error.code === 'NOT_FOUND' && error.details.consumer !== undefined) {
        return undefined;
      }
      throw error;
    }
  }

  async list(log: string, prefix = '', options?: CallOptions): Promise<readonly LogConsumer[]> {
    const request = { log: toLogName(log), prefix };
    const { consumers } = await callUnary(this.#environment, 'listConsumers', request, 'repeatable', options);
    return consumers.map(consumerOf);
  }

  async seek(log: string, consumer: string, to: SeekTarget, options: SeekOptions = {}): Promise<SoughtPlace> {
    const { dryRun = false } = options;
    const request = { log: toLogName(log), consumer: toConsumerName(consumer), to: seekMessage(to), dryRun };
    // A second time would begin one more generation.
    const kind = dryRun ? 'repeatable' : 'once';
    const response = await callUnary(this.#environment, 'seekConsumer', request, kind, options);
    return { ...placeOf(response), earlierPositions: response.earlierPositions.map(positionOf) };
  }

  async delete(log: string, consumer: string, options?: CallOptions): Promise<void> {
    const request = { log: toLogName(log), consumer: toConsumerName(consumer) };
    await callUnary(this.#environment, 'deleteConsumer', request, 'repeatable', options);
  }
}

function placeOf(response: { generation: bigint; positions: LogPositionMessage[] }): ConsumerPlace {
  return { generation: toNumber(response.generation), positions: response.positions.map(positionOf) };
}

function toConsumerName(name: string): string {
  if (typeof name === 'string' && /^[A-Za-z0-9._-]{1,255}$/.test(name)) return name;
  throw new RangeError(`consumer name ${JSON.stringify(name)} is not 1 to 255 of [A-Za-z0-9._-]`);
}
