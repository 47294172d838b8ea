import type {
  ReadOptions as ReadOptionsMessage,
  ResponseHeader,
  WatchRequest,
  WriteOptions as WriteOptionsMessage,
} from '@shanghai/proto';
import { ReadLevel as ReadLevelMessage } from '@shanghai/proto';
import type { CallEnvironment } from './calls/call-environment.js';
import type { PipelineAnswer, PipelineBody } from './calls/pending-call.js';
import type { Pipeline } from './calls/pipeline.js';
import { resumeStream } from './calls/resumable-stream.js';
import { ClientError } from './client-error.js';
import type {
  BatchOptions,
  BytesInput,
  CallOptions,
  Condition,
  Entry,
  KeyValueStore,
  OperationOutcome,
  PutOptions,
  RangeOptions,
  ReadOptions,
  WatchOptions,
  WatchPage,
  WriteOperation,
} from './key-value-store.js';
import { RangeProgress } from './range-progress.js';
import type { SessionToken } from './session-token.js';
import { textOf } from './text.js';
import {
  conditionMessage,
  entryOfGet,
  entryOfPair,
  operationMessage,
  operationsBytes,
  outcomesOf,
  toKey,
  watchEventOf,
} from './wire/key-value-wire.js';
import { noBytes, toBuffer, toNumber, toOptionalBuffer, toUint64 } from './wire/wire-values.js';

/** About what a request takes on the wire beside its key and value. */
const requestOverheadBytes = 32;

/** One keyspace of a client. */
export class KeyValueClient implements KeyValueStore {
  readonly #environment: CallEnvironment;
  readonly #pipeline: Pipeline;
  readonly #token: SessionToken;
  readonly #keyspace: string;

  /** `token` is shared by all keyspaces of a client: what it has seen, it has seen. */
  constructor(environment: CallEnvironment, pipeline: Pipeline, token: SessionToken, keyspace: string) {
    this.#environment = environment;
    this.#pipeline = pipeline;
    this.#token = token;
    this.#keyspace = keyspace;
  }

  async get(key: BytesInput, options: ReadOptions = {}): Promise<Entry | undefined> {
    const value = { options: this.#readOptions(options), key: toKey(key) };
    const body: PipelineBody = { $case: 'get', value };
    const bytes = value.key.length + requestOverheadBytes;
    const anywhere = value.options.level !== ReadLevelMessage.READ_LEVEL_LINEARIZABLE;
    const answer = await this.#pipeline.submit({ kind: 'repeatable', body, bytes, anywhere }, options);
    const response = answerOf(answer, 'get');
    this.#observe(response.header, options);
    return entryOfGet(value.key, response);
  }

  async getText(key: BytesInput, options: ReadOptions = {}): Promise<string | undefined> {
    const entry = await this.get(key, options);
    return entry === undefined ? undefined : textOf(entry.value);
  }

  async put(key: BytesInput, value: BytesInput, options: PutOptions = {}): Promise<{ readonly revision: number }> {
    const request = {
      options: this.#writeOptions(),
      key: toKey(key),
      value: toBuffer(value, 'value'),
      ttlMs: options.ttlMs === undefined ? 0n : toUint64(options.ttlMs, 'ttlMs', 1),
    };
    const bytes = request.key.length + request.value.length;
    const response = answerOf(await this.#write({ $case: 'put', value: request }, bytes, options), 'put');
    this.#token.observe(response.header);
    return { revision: toNumber(response.revision) };
  }

  async append(
    key: BytesInput,
    value: BytesInput,
    options: CallOptions = {},
  ): Promise<{ readonly revision: number; readonly valueBytes: number }> {
    const request = { options: this.#writeOptions(), key: toKey(key), value: toBuffer(value, 'value') };
    const bytes = request.key.length + request.value.length;
    const response = answerOf(await this.#write({ $case: 'append', value: request }, bytes, options), 'append');
    this.#token.observe(response.header);
    return { revision: toNumber(response.revision), valueBytes: toNumber(response.valueBytes) };
  }

  async delete(
    key: BytesInput,
    options: CallOptions = {},
  ): Promise<{ readonly deleted: boolean; readonly revision: number }> {
    const request = { options: this.#writeOptions(), key: toKey(key) };
    const body: PipelineBody = { $case: 'delete', value: request };
    const response = answerOf(await this.#write(body, request.key.length, options), 'delete');
    this.#token.observe(response.header);
    return { deleted: response.deleted, revision: toNumber(response.revision) };
  }

  async batch(operations: readonly WriteOperation[], options: BatchOptions = {}): Promise<OperationOutcome[]> {
    const messages = operations.map(operationMessage);
    if (messages.length === 0) return [];
    const atomic = options.atomic ?? false;
    const body: PipelineBody = {
      $case: 'batch',
      value: { options: this.#writeOptions(), atomic, operations: messages },
    };
    const response = answerOf(await this.#write(body, operationsBytes(messages), options), 'batch');
    this.#token.observe(response.header);
    return outcomesOf(messages, response.results);
  }

  async transact(
    transaction: { readonly conditions: readonly Condition[]; readonly operations: readonly WriteOperation[] },
    options: CallOptions = {},
  ): Promise<OperationOutcome[]> {
    const conditions = transaction.conditions.map(conditionMessage);
    const operations = transaction.operations.map(operationMessage);
    const body: PipelineBody = { $case: 'transact', value: { options: this.#writeOptions(), conditions, operations } };
    const bytes = operationsBytes(operations) + conditions.reduce((sum, { key }) => sum + key.length + 16, 0);
    const response = answerOf(await this.#write(body, bytes, options), 'transact');
    this.#token.observe(response.header);
    return outcomesOf(operations, response.results);
  }

  async *range(options: RangeOptions = {}): AsyncGenerator<Entry, void, undefined> {
    const progress = new RangeProgress({
      start: toOptionalBuffer(options.start, 'start'),
      end: toOptionalBuffer(options.end, 'end'),
      prefix: toOptionalBuffer(options.prefix, 'prefix'),
      limit: options.limit === undefined ? undefined : Number(toUint64(options.limit, 'limit', 1)),
      reverse: options.reverse ?? false,
    });
    const messageTimeoutMs = options.timeoutMs ?? this.#environment.options.timeoutMs;
    const pages = resumeStream(this.#environment, {
      method: 'range',
      servedBy: this.#readOptions(options).level === ReadLevelMessage.READ_LEVEL_LINEARIZABLE ? 'leader' : 'replica',
      endsByItself: true,
      messageTimeoutMs,
      reconnectMs: messageTimeoutMs,
      signal: options.signal,
      nextRequest: () => {
        const bounds = progress.rest();
        if (bounds === undefined) return undefined;
        const { limit, ...rest } = bounds;
        return {
          ...rest,
          options: this.#readOptions(options),
          limit: BigInt(limit ?? 0),
          keysOnly: options.keysOnly ?? false,
          continuation: noBytes,
        };
      },
    });
    for await (const page of pages) {
      this.#observe(page.header, options);
      for (const pair of page.pairs) {
        progress.gave(pair.key);
        yield entryOfPair(pair);
      }
    }
  }

  async *watch(options: WatchOptions = {}): AsyncGenerator<WatchPage, void, undefined> {
    const target = watchTarget(options);
    let position = options.position === undefined ? noBytes : toBuffer(options.position, 'position');
    const pages = resumeStream(this.#environment, {
      method: 'watch',
      servedBy: 'replica',
      endsByItself: false,
      reconnectMs: this.#environment.options.streamReconnectMs,
      signal: options.signal,
      nextRequest: () => ({
        keyspace: this.#keyspace,
        target,
        position,
        keysOnly: options.keysOnly ?? false,
      }),
    });
    for await (const page of pages) {
      if (page.position.length > 0) position = page.position;
      yield { events: page.events.map(watchEventOf), position };
    }
  }

  #write(body: PipelineBody, bytes: number, options: CallOptions): Promise<PipelineAnswer> {
    const kind = this.#environment.options.sessions ? 'numbered' : 'once';
    return this.#pipeline.submit({ kind, body, bytes: bytes + requestOverheadBytes, anywhere: false }, options);
  }

  #writeOptions(): WriteOptionsMessage {
    return { keyspace: this.#keyspace, sessionId: 0n, requestNumber: 0n, retry: false };
  }

  #readOptions(options: ReadOptions): ReadOptionsMessage {
    const keyspace = this.#keyspace;
    const level = options.level ?? this.#environment.options.readLevel;
    if (level === 'stale') return { keyspace, level: ReadLevelMessage.READ_LEVEL_STALE, token: noBytes };
    const token = options.token === undefined ? this.#token.newest : toBuffer(options.token, 'token');
    // A client that has seen nothing yet asks for the newest state: that is more than it is owed.
    if (level === 'session' && token.length > 0) {
      return { keyspace, level: ReadLevelMessage.READ_LEVEL_SESSION, token };
    }
    return { keyspace, level: ReadLevelMessage.READ_LEVEL_LINEARIZABLE, token: noBytes };
  }

  #observe(header: ResponseHeader | undefined, options: ReadOptions): void {
    const freshness = this.#token.observe(header);
    options.onFreshness?.(freshness);
  }
}

type Answers = { readonly [Answer in PipelineAnswer as Answer['$case']]: Answer['value'] };

/** The answer, which must be of the request's kind. */
function answerOf<Kind extends PipelineAnswer['$case']>(answer: PipelineAnswer, kind: Kind): Answers[Kind] {
  if (answer.$case === kind) return answer.value as Answers[Kind];
  const message = `The server answered a ${kind} with a ${answer.$case}; it does not speak this client's protocol`;
  throw new ClientError(kind === 'get' ? 'INTERNAL_ERROR' : 'OUTCOME_UNKNOWN', message, { answered: true });
}

function watchTarget(options: WatchOptions): WatchRequest['target'] {
  const { key, prefix, start, end } = options;
  const given = [key, prefix, start ?? end].filter((bound) => bound !== undefined).length;
  if (given > 1) throw new TypeError('a watch is of a key, or of a prefix, or from start to end');
  if (key !== undefined) return { $case: 'key', value: toKey(key) };
  if (prefix !== undefined) return { $case: 'prefix', value: toBuffer(prefix, 'prefix') };
  if (start === undefined && end === undefined) return undefined;
  return { $case: 'range', value: { start: toOptionalBuffer(start, 'start'), end: toOptionalBuffer(end, 'end') } };
}
