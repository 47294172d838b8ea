import { delay } from '@shanghai/env';
import { type CallStage, ClientError, toClientError } from '../client-error.js';
import type { ClusterNode } from '../cluster/cluster-node.js';
import type { NodeRoute } from '../cluster/node-route.js';
import type { SearchStep } from '../core/leader-search.js';
import { decideRetry, type RequestKind } from '../core/retry-decision.js';
import type { CallOptions } from '../key-value-store.js';
import type { TransportCallOptions, UnaryMethod, UnaryMethods } from '../transport.js';
import { type CallEnvironment, retryDelayMs, searchDelayMs } from './call-environment.js';
import { CallScope } from './call-scope.js';
import { givenUpError } from './give-up.js';
import { watchLeader } from './silence-watch.js';
import { blamesNode, isTurnedAway } from './stream-failure.js';

/** Requests about the node that answers; all others are about what the cluster holds, and go to the leader. */
const aboutNode: ReadonlySet<UnaryMethod> = new Set<UnaryMethod>([
  'getStatus',
  'listNodes',
  'listMembers',
  'listMemberEvents',
  'reserveNode',
  'leaveNode',
  'replaceNode',
  'setReplicationFactor',
  'createKeyspace',
  'deleteKeyspace',
  'listKeyspaces',
  'listConflicts',
  'listHeld',
  'giveVerdict',
  'shutdown',
  'getMetrics',
  'checkpoint',
  'merge',
  'getChecksums',
  'getDiagnostics',
  'getReplication',
  'pauseReplication',
]);

/** Hints followed before a call waits. */
const maxFollowed = 5;

/**
 * One request and its answer, sent again where that is safe, within the call's deadline. `kind` says what a second time
 * would do; `onRetry` hears of attempts that failed and are repeated. Rejects with a `ClientError`.
 */
export async function callUnary<Method extends UnaryMethod>(
  environment: CallEnvironment,
  method: Method,
  request: UnaryMethods[Method][0],
  kind: RequestKind,
  callOptions: CallOptions & { readonly at?: 'leader' | 'contact' } = {},
  onRetry?: (failure: ClientError) => void,
): Promise<UnaryMethods[Method][1]> {
  const { options } = environment;
  // A session may still be needed by a write that was made before the client closed.
  if (environment.activity.closed && method !== 'openSession') throw closedError();
  const timeoutMs = callOptions.timeoutMs ?? options.timeoutMs;
  const deadlineMs = options.clock.monotonicMs() + timeoutMs;
  const scope = new CallScope(options.clock, { ...callOptions, timeoutMs });
  const route: NodeRoute =
    aboutNode.has(method) || callOptions.at === 'contact' ? environment.contact : environment.leader;
  const attempt: Attempt = {
    kind,
    stage: 'connection',
    maybeApplied: false,
    attempts: 0,
    followed: 0,
    lastFailure: undefined,
  };
  environment.activity.begin();
  try {
    for (;;) {
      const node = route.target();
      try {
        const remainingMs = Math.max(1, deadlineMs - options.clock.monotonicMs());
        const answer = await watched(environment, route, node, kind, scope.signal, (signal) =>
          attemptOnce(node, method, request, { signal, timeoutMs: remainingMs }, attempt),
        );
        environment.discovery.answered(node);
        return answer;
      } catch (error) {
        if (scope.reason !== undefined) throw error;
        const failure = toClientError(error);
        const step = learnFrom(route, node, failure);
        const delayMs = judge(environment, attempt, failure, step);
        onRetry?.(failure);
        if (delayMs > 0) await delay(options.clock, delayMs, scope.signal);
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
  /** Hints followed since it last waited. */
  followed: number;
  lastFailure: ClientError | undefined;
}

async function attemptOnce<Method extends UnaryMethod>(
  node: ClusterNode,
  method: Method,
  request: UnaryMethods[Method][0],
  call: TransportCallOptions,
  attempt: Attempt,
): Promise<UnaryMethods[Method][1]> {
  attempt.stage = 'connection';
  attempt.attempts++;
  node.load++;
  try {
    call.signal.throwIfAborted();
    const channel = await node.connected(call.signal);
    attempt.stage = 'answer';
    return await channel.call(method, request, call);
  } finally {
    node.load--;
  }
}

/**
 * An attempt at a leader who may have gone without a word: given up when another one is named. What may not be sent again
 * has nothing to gain from that.
 */
async function watched<Answer>(
  environment: CallEnvironment,
  route: NodeRoute,
  node: ClusterNode,
  kind: RequestKind,
  signal: AbortSignal,
  attempt: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  if (route !== environment.leader || kind === 'once' || environment.nodes.all.length < 2) return attempt(signal);
  const watch = watchLeader(environment, node);
  watch.start();
  try {
    return await attempt(AbortSignal.any([signal, watch.signal]));
  } catch (error) {
    throw watch.signal.aborted && !signal.aborted ? watch.signal.reason : error;
  } finally {
    watch.stop();
  }
}

/** Tells the route how the node failed; says whether the next attempt may be made at once. */
function learnFrom(route: NodeRoute, node: ClusterNode, failure: ClientError): SearchStep {
  if (isTurnedAway(failure)) return route.refused(node, failure);
  if (blamesNode(failure)) route.failed(node);
  return 'wait';
}

/** How long to wait before the next attempt; throws what the caller is told where there is none. */
function judge(environment: CallEnvironment, attempt: Attempt, failure: ClientError, step: SearchStep): number {
  // Being sent on is not an attempt; but hints that lead round in circles are not followed for ever.
  const follows = step === 'follow' && attempt.followed < maxFollowed;
  attempt.followed = follows ? attempt.followed + 1 : 0;
  if (follows) attempt.attempts--;
  const decision = decideRetry({ ...attempt, maxAttempts: environment.options.maxAttempts }, failure);
  attempt.lastFailure = failure;
  // Unary requests carry no session; there is nothing to renumber.
  if (decision.action === 'renumber') throw failure;
  if (decision.action === 'fail') throw failedWith(decision.code, failure);
  attempt.maybeApplied = decision.maybeApplied;
  const isSearch = failure.answered && failure.code === 'CLUSTER_ERROR';
  attempt.stage = isSearch ? 'leader' : 'back-off';
  if (follows) return 0;
  return isSearch ? searchDelayMs(environment, attempt.attempts) : retryDelayMs(environment, attempt.attempts);
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
