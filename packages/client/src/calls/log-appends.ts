/**
 * Appends to named logs on their way: together on a stream, plain ones in packs (`log-packs.ts`) where the node takes
 * them; or, where a node is of a release that has no such stream, one by one.
 */
import { invariant } from '@shanghai/env';
import type { Acknowledgement, LogAppendRequest, LogAppendResponse } from '@shanghai/proto';
import { ClientError } from '../client-error.js';
import type { RequestKind } from '../core/retry-decision.js';
import type { CallOptions } from '../key-value-store.js';
import type { LogAppended, LogNode } from '../named-logs.js';
import { appendedOf } from '../wire/log-wire.js';
import { type PackableRecord, unpackedRecord } from '../wire/pack-wire.js';
import type { CallEnvironment } from './call-environment.js';
import { LogPacks, type UnpackedAppend } from './log-packs.js';
import type { Pipeline } from './pipeline.js';
import { callUnary } from './unary-calls.js';

/** How long appends go one by one after a node refused the stream, in milliseconds. */
const oneByOneMs = 30_000;

/** About what an append and a record take on the wire beside their contents. */
const overheadBytes = 32;

/** `at`: which node is asked. */
type AppendCallOptions = CallOptions & { readonly at?: LogNode };

/** The appends of a client. */
export class LogAppends {
  readonly #environment: CallEnvironment;
  readonly #pipeline: Pipeline;
  readonly #packs: LogPacks;
  #oneByOneUntilMs = Number.NEGATIVE_INFINITY;

  constructor(environment: CallEnvironment, pipeline: Pipeline) {
    this.#environment = environment;
    this.#pipeline = pipeline;
    this.#packs = new LogPacks(environment, pipeline, (append) => this.#sendUnpacked(append));
  }

  /** Whether a plain append would share a pack now. */
  get takesPacks(): boolean {
    return this.#pipeline.takesPacks;
  }

  /** Sends a plain append, which shares what it can with the others of its turn. Rejects as `send`. */
  pack(log: string, acknowledgement: Acknowledgement, records: readonly PackableRecord[]): Promise<LogAppended> {
    return this.#packs.append(log, acknowledgement, records);
  }

  /** Sends an append. Those called in one turn travel together and reach their log in the order of the calls. */
  async send(value: LogAppendRequest, kind: RequestKind, options: AppendCallOptions): Promise<LogAppendResponse> {
    const { clock } = this.#environment.options;
    this.#packs.seal(value.log);
    if (options.at !== 'contact' && clock.monotonicMs() >= this.#oneByOneUntilMs) {
      try {
        const call = { kind, body: { $case: 'logAppend', value }, bytes: bytesOf(value), anywhere: false } as const;
        const answer = await this.#pipeline.submit(call, options);
        invariant(answer.$case === 'logAppend', `an append was answered with '${answer.$case}'`);
        return answer.value;
      } catch (error) {
        if (!isRefusedStream(error)) throw error;
        this.#oneByOneUntilMs = clock.monotonicMs() + oneByOneMs;
      }
    }
    return callUnary(this.#environment, 'appendLog', value, kind, options);
  }

  async #sendUnpacked({ log, acknowledgement, records, timeoutMs }: UnpackedAppend): Promise<LogAppended> {
    const request = { log, acknowledgement, records: records.map(unpackedRecord), producer: undefined };
    return appendedOf(await this.send(request, 'once', { timeoutMs }));
  }
}

/** An answer to the stream as such: nothing on it was looked at. */
function isRefusedStream(error: unknown): boolean {
  return error instanceof ClientError && error.code === 'UNSUPPORTED' && error.answered;
}

function bytesOf({ log, records }: LogAppendRequest): number {
  let bytes = overheadBytes + log.length;
  for (const { key, value, headers } of records) {
    bytes += overheadBytes + key.length + value.length;
    for (const header of headers) bytes += overheadBytes + header.name.length + header.value.length;
  }
  return bytes;
}
