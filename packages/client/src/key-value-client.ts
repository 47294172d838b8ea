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
import type { Names } from './cluster/multi-master-names.js';
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

/** What all keyspaces of a client share. */
export interface SharedByKeyspaces {
  readonly leader: Pipeline;
  /** For keyspaces that every node writes. */
  readonly nearest: Pipeline;
  /** What the client has seen, it has seen. */
  readonly token: SessionToken;
  readonly names: Names;
}

/** One keyspace of a client. */
export class KeyValueClient implements KeyValueStore {
  readonly #environment: CallEnvironment;
  readonly #shared: SharedByKeyspaces;
  readonly #token: SessionToken;
  readonly #keyspace: string;

  constructor(environment: CallEnvironment, shared: SharedByKeyspaces, keyspace: string) {
    this.#environment = environment;
    this.#shared = shared;
    this.#token = shared.token;
    this.#keyspace = keyspace;
  }

  async get(key: BytesInput, options: ReadOptions = {}): Promise<Entry | undefined> {
    const isAnyNodes = this.#keyspace !== '' && (await this.#isMultiMaster());
    const value = { options: this.#readOptions(options, isAnyNodes), key: toKey(key) };
    const body: PipelineBody = { $case: 'get', value };
    const bytes = value.key.length + requestOverheadBytes;
    const anywhere = !isAnyNodes && value.options.level !== ReadLevelMessage.READ_LEVEL_LINEARIZABLE;
    const pipeline = isAnyNodes ? this.#shared.nearest : this.#shared.leader;
    const answer = await pipeline.submit({ kind: 'repeatable', body, bytes, anywhere }, options);
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
    this.#token.observe(response.header, this.#keyspace);
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
    this.#token.observe(response.header, this.#keyspace);
    return { revision: toNumber(response.revision), valueBytes: toNumber(response.valueBytes) };
  }

  async delete(
    key: BytesInput,
    options: CallOptions = {},
  ): Promise<{ readonly deleted: boolean; readonly revision: number }> {
    const request = { options: this.#writeOptions(), key: toKey(key) };
    const body: PipelineBody = { $case: 'delete', value: request };
    const response = answerOf(await this.#write(body, request.key.length, options), 'delete');
    this.#token.observe(response.header, this.#keyspace);
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
    this.#token.observe(response.header, this.#keyspace);
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
    this.#token.observe(response.header, this.#keyspace);
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
    const isAnyNodes = this.#keyspace !== '' && (await this.#isMultiMaster());
    const { level } = this.#readOptions(options, isAnyNodes);
    const pages = resumeStream(this.#environment, {
      method: 'range',
      servedBy: level === ReadLevelMessage.READ_LEVEL_LINEARIZABLE ? 'leader' : 'replica',
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
          options: this.#readOptions(options, isAnyNodes),
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

  async #write(body: PipelineBody, bodyBytes: number, options: CallOptions): Promise<PipelineAnswer> {
    const bytes = bodyBytes + requestOverheadBytes;
    // The default keyspace is never one of those that every node writes: nobody is asked, and nothing waits.
    const isAnyNodes = this.#keyspace !== '' && (await this.#isMultiMaster());
    // There a repetition is a write of its own: sessions do not hold.
    if (isAnyNodes) {
      return this.#shared.nearest.submit({ kind: 'once', body, bytes, anywhere: false }, options).catch((error) => {
        // There may be another keyspace of that name by now.
        this.#shared.names.forget(this.#keyspace);
        throw error;
      });
    }
    const kind = this.#environment.options.sessions ? 'numbered' : 'once';
    return this.#shared.leader.submit({ kind, body, bytes, anywhere: false }, options);
  }

  #isMultiMaster(): boolean | Promise<boolean> {
    return this.#shared.names.isMultiMaster(this.#keyspace);
  }

  #writeOptions(): WriteOptionsMessage {
    return { keyspace: this.#keyspace, sessionId: 0n, requestNumber: 0n, retry: false };
  }

  #readOptions(options: ReadOptions, isAnyNodes: boolean): ReadOptionsMessage {
    const keyspace = this.#keyspace;
    const level = options.level ?? this.#environment.options.readLevel;
    const stale = { keyspace, level: ReadLevelMessage.READ_LEVEL_STALE, token: noBytes };
    if (level === 'stale') return stale;
    const seen = isAnyNodes ? this.#token.vectorOf(keyspace) : this.#token.newest;
    const token = options.token === undefined ? seen : toBuffer(options.token, 'token');
    // No node has the newest state of such a keyspace.
    if (level === 'session' && isAnyNodes && token.length === 0) return stale;
    // A client that has seen nothing yet asks for the newest state: that is more than it is owed.
    if (level === 'session' && token.length > 0) {
      return { keyspace, level: ReadLevelMessage.READ_LEVEL_SESSION, token };
    }
    return { keyspace, level: ReadLevelMessage.READ_LEVEL_LINEARIZABLE, token: noBytes };
  }

  #observe(header: ResponseHeader | undefined, options: ReadOptions): void {
    const freshness = this.#token.observe(header, this.#keyspace);
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
