import { delay } from '@shanghai/env';
import { errorTable } from '@shanghai/proto';
import { ClientError, toClientError } from '../client-error.js';
import type { StreamMethod, StreamMethods } from '../transport.js';
import { type CallEnvironment, retryDelayMs } from './call-environment.js';
import { CallScope } from './call-scope.js';
import { givenUpError } from './give-up.js';
import { blamesEndpoint, closedError } from './unary-calls.js';

/** A stream that is taken up again where it broke. */
export interface ResumableStream<Method extends StreamMethod> {
  readonly method: Method;
  /** The request that goes on behind what was given so far; `undefined`: nothing is left. Called for each attempt. */
  nextRequest(): StreamMethods[Method][0] | undefined;
  /** Whether the server may end it: true for a range, false for what goes on for ever. */
  readonly endsByItself: boolean;
  /** How long the next message may take, in milliseconds; absent: for ever, as nothing may happen for long. */
  readonly messageTimeoutMs?: number;
  /** How long a broken stream may stay broken, in milliseconds. */
  readonly reconnectMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * The messages of a stream, one at a time as the consumer asks, over as many connections as it takes. The consumer must
 * have taken a message in (so that `nextRequest` knows it) before it asks for the next. Throws a `ClientError`; what the
 * server refuses for good is not tried again.
 */
export async function* resumeStream<Method extends StreamMethod>(
  environment: CallEnvironment,
  stream: ResumableStream<Method>,
): AsyncGenerator<StreamMethods[Method][1], void, undefined> {
  const { options } = environment;
  const signal = stream.signal === undefined ? {} : { signal: stream.signal };
  const scope = new CallScope(options.clock, signal, environment.closing);
  const state: StreamState = {
    failures: 0,
    brokenSinceMs: undefined,
    connected: false,
    wasConnected: false,
    lastFailure: undefined,
  };
  try {
    if (environment.activity.closed) throw closedError();
    for (;;) {
      const request = stream.nextRequest();
      if (request === undefined) return;
      try {
        yield* oneConnection(environment, stream, request, scope, state);
        if (stream.endsByItself) return;
        throw new ClientError('SERVICE_UNAVAILABLE', 'The server ended the stream');
      } catch (error) {
        if (scope.reason !== undefined) throw error;
        const delayMs = judge(environment, stream, state, toClientError(error));
        await keptAlive(environment, () => delay(options.clock, delayMs, scope.signal));
      }
    }
  } catch (error) {
    if (scope.reason === undefined) throw error;
    const { lastFailure, connected } = state;
    const stage = connected ? 'answer' : 'connection';
    throw givenUpError({ kind: 'repeatable', maybeApplied: connected, stage, lastFailure }, scope.reason);
  } finally {
    scope.dispose();
  }
}

interface StreamState {
  /** Attempts that failed since the last message. */
  failures: number;
  brokenSinceMs: number | undefined;
  connected: boolean;
  /** Whether there ever was a connection. */
  wasConnected: boolean;
  lastFailure: ClientError | undefined;
}

async function* oneConnection<Method extends StreamMethod>(
  environment: CallEnvironment,
  stream: ResumableStream<Method>,
  request: StreamMethods[Method][0],
  scope: CallScope,
  state: StreamState,
): AsyncGenerator<StreamMethods[Method][1], void, undefined> {
  const { endpoints } = environment;
  const channel = endpoints.current();
  const startTimer = () => {
    if (stream.messageTimeoutMs !== undefined) scope.restartTimer(stream.messageTimeoutMs);
  };
  try {
    startTimer();
    state.connected = false;
    scope.signal.throwIfAborted();
    await keptAlive(environment, () => channel.ready(scope.signal));
    state.connected = true;
    state.wasConnected = true;
    for await (const message of channel.stream(stream.method, request, { signal: scope.signal })) {
      scope.stopTimer();
      state.failures = 0;
      state.brokenSinceMs = undefined;
      yield message;
      startTimer();
    }
    scope.stopTimer();
  } catch (error) {
    scope.stopTimer();
    if (scope.reason === undefined && blamesEndpoint(toClientError(error))) endpoints.failed(channel);
    throw error;
  }
}

/**
 * Counts as activity while there is no connection: timers do not keep the process alive, and a program that awaits the
 * next message must not end in the middle of that. A connection keeps it alive by itself.
 */
async function keptAlive(environment: CallEnvironment, wait: () => Promise<void>): Promise<void> {
  environment.activity.begin();
  try {
    await wait();
  } finally {
    environment.activity.end();
  }
}

/** How long to wait before the next connection; throws the failure where there shall be none. */
function judge(
  environment: CallEnvironment,
  stream: Pick<ResumableStream<StreamMethod>, 'reconnectMs' | 'endsByItself'>,
  state: StreamState,
  failure: ClientError,
): number {
  const nowMs = environment.options.clock.monotonicMs();
  state.failures++;
  state.brokenSinceMs ??= nowMs;
  state.lastFailure = failure;
  const forGood = failure.answered && errorTable[failure.code].retry === 'never';
  // What ends by itself is a call like any other until it has begun; what goes on for ever waits for its node.
  const attemptsLeft = !stream.endsByItself || state.wasConnected || state.failures < environment.options.maxAttempts;
  if (forGood || !attemptsLeft || nowMs - state.brokenSinceMs >= stream.reconnectMs) throw failure;
  return retryDelayMs(environment, state.failures);
}
