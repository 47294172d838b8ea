import { delay } from '@shanghai/env';
import { type CallStage, ClientError, toClientError } from '../client-error.js';
import { decideRetry, type RequestKind } from '../core/retry-decision.js';
import type { CallOptions } from '../key-value-store.js';
import type { UnaryMethod, UnaryMethods } from '../transport.js';
import { type CallEnvironment, retryDelayMs } from './call-environment.js';
import { CallScope } from './call-scope.js';
import { givenUpError } from './give-up.js';

/**
 * One request and its answer, sent again where that is safe, within the call's deadline. `kind` says what a second time
 * would do. Rejects with a `ClientError`.
 */
export async function callUnary<Method extends UnaryMethod>(
  environment: CallEnvironment,
  method: Method,
  request: UnaryMethods[Method][0],
  kind: RequestKind,
  callOptions: CallOptions = {},
): Promise<UnaryMethods[Method][1]> {
  const { options } = environment;
  // A session may still be needed by a write that was made before the client closed.
  if (environment.activity.closed && method !== 'openSession') throw closedError();
  const timeoutMs = callOptions.timeoutMs ?? options.timeoutMs;
  const deadlineMs = options.clock.monotonicMs() + timeoutMs;
  const scope = new CallScope(options.clock, { ...callOptions, timeoutMs });
  environment.activity.begin();
  const attempt: Attempt = { kind, stage: 'connection', maybeApplied: false, attempts: 0, lastFailure: undefined };
  try {
    for (;;) {
      try {
        const remainingMs = Math.max(1, deadlineMs - options.clock.monotonicMs());
        return await attemptOnce(environment, method, request, scope, attempt, remainingMs);
      } catch (error) {
        if (scope.reason !== undefined) throw error;
        const delayMs = judge(environment, attempt, toClientError(error));
        attempt.stage = 'back-off';
        await delay(options.clock, delayMs, scope.signal);
      }
    }
  } catch (error) {
    if (scope.reason === undefined) throw error;
    const maybeApplied = attempt.maybeApplied || attempt.stage === 'answer';
    throw givenUpError({ ...attempt, maybeApplied }, scope.reason);
  } finally {
    scope.dispose();
    environment.activity.end();
  }
}

/** The answer to whoever calls a client that was closed. */
export function closedError(): ClientError {
  return new ClientError('CANCELLED', 'The client is closed; make a new one', { sent: false });
}

interface Attempt {
  readonly kind: RequestKind;
  stage: CallStage;
  maybeApplied: boolean;
  attempts: number;
  lastFailure: ClientError | undefined;
}

async function attemptOnce<Method extends UnaryMethod>(
  { endpoints }: CallEnvironment,
  method: Method,
  request: UnaryMethods[Method][0],
  scope: CallScope,
  attempt: Attempt,
  timeoutMs: number,
): Promise<UnaryMethods[Method][1]> {
  const channel = endpoints.current();
  attempt.stage = 'connection';
  attempt.attempts++;
  try {
    scope.signal.throwIfAborted();
    await channel.ready(scope.signal);
    attempt.stage = 'answer';
    return await channel.call(method, request, { signal: scope.signal, timeoutMs });
  } catch (error) {
    if (scope.reason === undefined && blamesEndpoint(toClientError(error))) endpoints.failed(channel);
    throw error;
  }
}

/** Whether another endpoint might do better: the connection broke, or the node says that it cannot serve now. */
export function blamesEndpoint(error: ClientError): boolean {
  return !error.answered || error.code === 'SERVICE_UNAVAILABLE' || error.code === 'CLUSTER_ERROR';
}

/** How long to wait before the next attempt; throws what the caller is told where there is none. */
function judge(environment: CallEnvironment, attempt: Attempt, failure: ClientError): number {
  const decision = decideRetry({ ...attempt, maxAttempts: environment.options.maxAttempts }, failure);
  attempt.lastFailure = failure;
  if (decision.action === 'retry') {
    attempt.maybeApplied = decision.maybeApplied;
    return retryDelayMs(environment, attempt.attempts);
  }
  // Unary requests carry no session; there is nothing to renumber.
  throw decision.action === 'fail' ? failedWith(decision.code, failure) : failure;
}

/** The failure itself where it already says what the caller must know, else one with the code that does. */
export function failedWith(code: ClientError['code'], failure: ClientError): ClientError {
  if (code === failure.code) return failure;
  return new ClientError(code, `The outcome is not known: ${failure.code}: ${failure.message}`, {
    cause: failure,
    details: { ...failure.details, reason: failure.code },
    ...(failure.waitedIn === undefined ? {} : { waitedIn: failure.waitedIn }),
  });
}
