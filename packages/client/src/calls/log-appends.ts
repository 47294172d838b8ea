/**
 * Appends to named logs on their way: together on a stream, or, where a node is of a release that has no such stream, one
 * by one.
 */
import { invariant } from '@shanghai/env';
import type { LogAppendRequest, LogAppendResponse } from '@shanghai/proto';
import { ClientError } from '../client-error.js';
import type { RequestKind } from '../core/retry-decision.js';
import type { CallOptions } from '../key-value-store.js';
import type { LogNode } from '../named-logs.js';
import type { CallEnvironment } from './call-environment.js';
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
  #oneByOneUntilMs = Number.NEGATIVE_INFINITY;

  constructor(environment: CallEnvironment, pipeline: Pipeline) {
    this.#environment = environment;
    this.#pipeline = pipeline;
  }

  /** Sends an append. Those called in one turn travel together and reach their log in the order of the calls. */
  async send(value: LogAppendRequest, kind: RequestKind, options: AppendCallOptions): Promise<LogAppendResponse> {
    const { clock } = this.#environment.options;
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
