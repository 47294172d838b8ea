import type { CallEnvironment } from './calls/call-environment.js';
import { entryTail } from './calls/entry-tail.js';
import { LogAppends } from './calls/log-appends.js';
import type { Pipeline } from './calls/pipeline.js';
import { TailOrigin } from './calls/tail-origin.js';
import { TailStreams } from './calls/tail-streams.js';
import { callUnary } from './calls/unary-calls.js';
import type { Names } from './cluster/multi-master-names.js';
import type { CallOptions } from './key-value-store.js';
import type { LogConsumers } from './log-consumers.js';
import { LogConsumersClient } from './log-consumers-client.js';
import { type LogProducer, type LogProducerOptions, openLogProducer } from './log-producer.js';
import type {
  KeptRange,
  LogAppended,
  LogAppendOptions,
  LogDescription,
  LogEntry,
  LogPage,
  LogReadOptions,
  LogRecordInput,
  LogSettings,
  LogTailOptions,
  LogTrimOptions,
  NamedLogs,
  ProducerProgress,
  TrimTarget,
} from './named-logs.js';
import {
  acknowledgementMessage,
  appendedOf,
  descriptionOf,
  gapOf,
  positionOf,
  producerMessage,
  recordMessage,
  scopeMessage,
  settingsMessage,
  startMessage,
  toLogName,
} from './wire/log-wire.js';
import { type PackableRecord, packableRecord } from './wire/pack-wire.js';
import { packedVersion } from './wire/packed-run.js';
import { allEntries } from './wire/page-entries.js';
import { keptOf, trimMessage } from './wire/trim-wire.js';
import { toNumber, toUint64 } from './wire/wire-values.js';

/** The named logs of a client. */
export class NamedLogsClient implements NamedLogs {
  readonly consumers: LogConsumers;
  readonly #environment: CallEnvironment;
  readonly #appends: LogAppends;
  /** To logs that every node writes. */
  readonly #nearestAppends: LogAppends;
  readonly #names: Names;

  /** `pipelines`: those of the log service. `names`: which logs every node writes. */
  constructor(
    environment: CallEnvironment,
    pipelines: { readonly leader: Pipeline; readonly nearest: Pipeline },
    names: Names,
  ) {
    this.#environment = environment;
    this.#appends = new LogAppends(environment, pipelines.leader);
    this.#nearestAppends = new LogAppends(environment, pipelines.nearest);
    this.#names = names;
    this.consumers = new LogConsumersClient(environment);
  }

  async create(name: string, settings: Partial<LogSettings> = {}, options?: CallOptions): Promise<LogDescription> {
    const request = { name: toLogName(name), settings: settingsMessage(settings) };
    // Making a log that is there with the same settings succeeds, so a second time does no harm.
    const { log } = await callUnary(this.#environment, 'createLog', request, 'repeatable', options);
    const made = descriptionOf(log);
    this.#names.learn(name, made.settings.mode === 'multi-master');
    return made;
  }

  async list(prefix = '', options?: CallOptions): Promise<LogDescription[]> {
    const { logs } = await callUnary(this.#environment, 'listLogs', { prefix }, 'repeatable', options);
    return logs.map(descriptionOf);
  }

  async describe(name: string, options?: CallOptions): Promise<LogDescription> {
    const request = { name: toLogName(name) };
    const { log } = await callUnary(this.#environment, 'describeLog', request, 'repeatable', options);
    return descriptionOf(log);
  }

  async delete(name: string, options?: CallOptions): Promise<void> {
    // Not repeatable: a second time would answer NOT_FOUND, or take a log away that was made anew meanwhile.
    await callUnary(this.#environment, 'deleteLog', { name: toLogName(name) }, 'once', options);
    this.#names.forget(name);
  }

  append(
    name: string,
    records: LogRecordInput | readonly LogRecordInput[],
    options: LogAppendOptions = plain,
  ): Promise<LogAppended> {
    const isAnyNodes = this.#isAnyNodes(name, options);
    const appends = isAnyNodes === true ? this.#nearestAppends : this.#appends;
    if (typeof isAnyNodes !== 'boolean' || !isPlain(options) || !appends.takesPacks) {
      return this.#append(name, records, options, isAnyNodes);
    }
    try {
      const acknowledgement = acknowledgementMessage(options.acknowledgement);
      const appended = appends.pack(toLogName(name), acknowledgement, packable(records));
      return isAnyNodes ? this.#forgetting(name, appended) : appended;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Whether every node takes it. What a producer has numbered must not come to lie with another origin when it is sent again. */
  #isAnyNodes(name: string, { producer, at }: LogAppendOptions): boolean | Promise<boolean> {
    const mayBe = producer === undefined && at === undefined && this.#environment.nodes.all.length > 1;
    return mayBe && this.#names.isMultiMaster(name);
  }

  /** An append as a call of its own. */
  async #append(
    name: string,
    records: LogRecordInput | readonly LogRecordInput[],
    options: LogAppendOptions,
    isAnyNodes: boolean | Promise<boolean>,
  ): Promise<LogAppended> {
    const list = isList(records) ? records : [records];
    if (list.length === 0) throw emptyAppend();
    const { producer, expectedLastSequence } = options;
    const request = {
      log: toLogName(name),
      records: list.map(recordMessage),
      acknowledgement: acknowledgementMessage(options.acknowledgement),
      producer: producerMessage(producer),
      ...(expectedLastSequence === undefined
        ? {}
        : { expectedLastSequence: toUint64(expectedLastSequence, 'expectedLastSequence') }),
    };
    if (isAnyNodes === true || (isAnyNodes !== false && (await isAnyNodes))) {
      return this.#forgetting(name, this.#nearestAppends.send(request, 'once', options).then(appendedOf));
    }
    return appendedOf(await this.#appends.send(request, producer === undefined ? 'once' : 'numbered', options));
  }

  /** After a failure there may be another log of that name. */
  #forgetting<Answer>(name: string, answer: Promise<Answer>): Promise<Answer> {
    return answer.catch((error: unknown) => {
      this.#names.forget(name);
      throw error;
    });
  }

  async trim(name: string, to: TrimTarget, options: LogTrimOptions = {}): Promise<KeptRange> {
    const request = trimMessage(toLogName(name), to, options);
    return keptOf(await callUnary(this.#environment, 'trimLog', request, 'repeatable', options));
  }

  async producer(name: string, producerId: number, options?: CallOptions): Promise<ProducerProgress | undefined> {
    const request = { log: toLogName(name), origin: 0n, producerId: toUint64(producerId, 'producerId', 1) };
    const known = await callUnary(this.#environment, 'describeProducer', request, 'repeatable', options);
    if (!known.found) return undefined;
    return {
      epoch: toNumber(known.epoch),
      lastSequence: toNumber(known.lastSequence),
      logSequence: toNumber(known.logSequence),
      timeMs: toNumber(known.timeMs),
    };
  }

  openProducer(name: string, options: LogProducerOptions): Promise<LogProducer> {
    return openLogProducer(this, name, options);
  }

  async read(name: string, options: LogReadOptions = {}): Promise<LogPage> {
    const request = {
      log: toLogName(name),
      origin: toUint64(options.origin, 'origin'),
      start: startMessage(options.from ?? 0),
      limit: toUint32(options.limit, 'limit'),
      maxBytes: toUint32(options.maxBytes, 'maxBytes'),
      ...scopeMessage(options),
      packedVersion,
    };
    const response = await callUnary(this.#environment, 'readLog', request, 'repeatable', options);
    return {
      entries: allEntries(response, options.order),
      nextSequence: toNumber(response.nextSequence),
      firstSequence: toNumber(response.firstSequence),
      lastSequence: toNumber(response.lastSequence),
      gaps: response.gaps.map(gapOf),
      ...(response.positions === undefined ? {} : { positions: response.positions.positions.map(positionOf) }),
      ...(response.watermarkMs === undefined ? {} : { watermarkMs: toNumber(response.watermarkMs) }),
    };
  }

  tail(name: string, options: LogTailOptions = {}): AsyncGenerator<LogEntry, void, undefined> {
    if (isScoped(options)) return entryTail(new TailStreams(this.#environment, name, options));
    return entryTail(new TailOrigin(this.#environment, name, options, () => this.#end(name, options)));
  }

  /** The sequence number that the next entry of an origin will have. */
  async #end(log: string, { origin = 0, signal }: LogTailOptions): Promise<number> {
    const { origins } = await this.describe(log, signal === undefined ? {} : { signal });
    return (origins.find((each) => each.origin === origin)?.lastSequence ?? 0) + 1;
  }
}

const plain: LogAppendOptions = {};

/** Whether an append differs from others in nothing but its records and their acknowledgement. */
function isPlain({ producer, expectedLastSequence, at, signal, timeoutMs }: LogAppendOptions): boolean {
  if (producer !== undefined || expectedLastSequence !== undefined) return false;
  return at !== 'contact' && signal === undefined && timeoutMs === undefined;
}

function packable(records: LogRecordInput | readonly LogRecordInput[]): readonly PackableRecord[] {
  if (!isList(records)) return [packableRecord(records)];
  if (records.length === 0) throw emptyAppend();
  return records.map(packableRecord);
}

function emptyAppend(): RangeError {
  return new RangeError('an append needs at least one record');
}

/** Whether a tail is one of several streams, each with its own place. */
function isScoped({ allOrigins, epoch, positions, order }: LogTailOptions): boolean {
  return allOrigins !== undefined || epoch !== undefined || positions !== undefined || order !== undefined;
}

function isList(records: LogRecordInput | readonly LogRecordInput[]): records is readonly LogRecordInput[] {
  return Array.isArray(records);
}

/** An optional count ≥ 1; 0 on the wire stands for the server's default. */
function toUint32(value: number | undefined, what: string): number {
  if (value === undefined) return 0;
  if (Number.isInteger(value) && value >= 1 && value <= 0xffff_ffff) return value;
  throw new RangeError(`${what} must be an integer in [1, 4294967295], got ${value}`);
}
