import { delay } from '@shanghai/env';
import { errorTable } from '@shanghai/proto';
import { ClientError, toClientError } from '../client-error.js';
import type { ClusterNode } from '../cluster/cluster-node.js';
import type { ClusterNodes } from '../cluster/cluster-nodes.js';
import type { SearchStep } from '../core/leader-search.js';
import type { StreamMethod, StreamMethods } from '../transport.js';
import { type CallEnvironment, retryDelayMs } from './call-environment.js';
import { CallScope } from './call-scope.js';
import { givenUpError } from './give-up.js';
import { watchLeader, watchReplica } from './silence-watch.js';
import { blamesNode, isTurnedAway } from './stream-failure.js';
import { closedError } from './unary-calls.js';

/** See `ResumableStream.servedBy`. */
type StreamServer = 'leader' | 'replica' | 'contact';

/** A stream that is taken up again where it broke. */
export interface ResumableStream<Method extends StreamMethod> {
  readonly method: Method;
  /** The request that goes on behind what was given so far; `undefined`: nothing is left. Called for each attempt. */
  nextRequest(): StreamMethods[Method][0] | undefined;
  /** Whether the server may end it: true for a range, false for what goes on for ever. */
  readonly endsByItself: boolean;
  /** How long the next message may take, in milliseconds; absent: for ever, as nothing may happen for long. */
  readonly messageTimeoutMs?: number;
  /** Who serves it: the leader, whatever replica has little to do, or the first of the endpoints that can be reached. */
  readonly servedBy: StreamServer;
  /** How long a broken stream may stay broken, in milliseconds. */
  readonly reconnectMs: number;
  readonly signal: AbortSignal | undefined;
  /** Called with a message before it is given; what it throws is a failure of the connection. */
  readonly check?: (message: StreamMethods[Method][1]) => void;
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
    wasServed: false,
    lastFailure: undefined,
    step: 'wait',
    refusedBy: new Set(),
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
        if (delayMs > 0) await keptAlive(environment, () => delay(options.clock, delayMs, scope.signal));
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
  /** Whether a message ever came. */
  wasServed: boolean;
  lastFailure: ClientError | undefined;
  /** Whether the next connection may be made at once. */
  step: SearchStep;
  /** Nodes that did not have what was asked for, since the last message. */
  readonly refusedBy: Set<ClusterNode>;
}

async function* oneConnection<Method extends StreamMethod>(
  environment: CallEnvironment,
  stream: ResumableStream<Method>,
  request: StreamMethods[Method][0],
  scope: CallScope,
  state: StreamState,
): AsyncGenerator<StreamMethods[Method][1], void, undefined> {
  const node = nodeFor(environment, stream.servedBy, state);
  const watch = (stream.servedBy === 'leader' ? watchLeader : watchReplica)(environment, node);
  const signal = AbortSignal.any([scope.signal, watch.signal]);
  // Where the next message may take for ever, silence says nothing.
  const startTimer = () => {
    if (stream.messageTimeoutMs === undefined) return;
    scope.restartTimer(stream.messageTimeoutMs);
    if (environment.nodes.all.length > 1) watch.start();
  };
  const stopTimer = () => {
    scope.stopTimer();
    watch.stop();
  };
  node.load++;
  try {
    startTimer();
    state.connected = false;
    state.step = 'wait';
    scope.signal.throwIfAborted();
    const channel = await keptAlive(environment, () => node.connected(signal));
    state.connected = true;
    state.wasConnected = true;
    for await (const message of channel.stream(stream.method, request, { signal })) {
      stopTimer();
      stream.check?.(message);
      if (state.brokenSinceMs !== undefined || !state.wasServed) environment.discovery.answered(node);
      state.wasServed = true;
      state.failures = 0;
      state.brokenSinceMs = undefined;
      state.refusedBy.clear();
      yield message;
      startTimer();
    }
    stopTimer();
  } catch (cause) {
    stopTimer();
    const error = watch.signal.aborted && scope.reason === undefined ? watch.signal.reason : cause;
    if (scope.reason === undefined) learnFrom(environment, stream.servedBy, state, node, toClientError(error));
    throw error;
  } finally {
    watch.stop();
    node.load--;
  }
}

/** The node for the next connection. */
function nodeFor({ nodes, leader, contact }: CallEnvironment, servedBy: StreamServer, state: StreamState): ClusterNode {
  if (servedBy === 'contact') return contact.target();
  if (servedBy === 'leader') return leader.target();
  if (state.refusedBy.size === 0) return nodes.pick();
  // A replica did not have it: the leader does, if anybody.
  const target = leader.target();
  return state.refusedBy.has(target) ? (unasked(nodes, state) ?? target) : target;
}

/** A healthy node that did not refuse yet. */
function unasked(nodes: ClusterNodes, { refusedBy }: StreamState): ClusterNode | undefined {
  return nodes.all.find((node) => node.isHealthy && !refusedBy.has(node));
}

function learnFrom(
  { leader, nodes, contact }: CallEnvironment,
  servedBy: StreamServer,
  state: StreamState,
  node: ClusterNode,
  failure: ClientError,
): void {
  if (servedBy === 'contact') {
    if (blamesNode(failure)) contact.failed(node);
  } else if (servedBy === 'replica') {
    if (blamesNode(failure)) node.failed();
    else if (failure.code === 'OUT_OF_RANGE' || failure.code === 'NOT_FOUND') state.refusedBy.add(node);
    if (state.refusedBy.size > 0 && unasked(nodes, state) !== undefined) state.step = 'follow';
  } else if (isTurnedAway(failure)) {
    state.step = leader.refused(node, failure);
  } else if (blamesNode(failure)) {
    leader.failed(node);
  }
}

/**
 * Counts as activity while there is no connection: timers do not keep the process alive, and a program that awaits the
 * next message must not end in the middle of that. A connection keeps it alive by itself.
 */
async function keptAlive<Result>(environment: CallEnvironment, wait: () => Promise<Result>): Promise<Result> {
  environment.activity.begin();
  try {
    return await wait();
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
  // What one replica does not have another may: they do not keep changes for equally long.
  const forGood = failure.answered && errorTable[failure.code].retry === 'never' && state.step === 'wait';
  // What ends by itself is a call like any other until it has begun; what goes on for ever waits for its node.
  const attemptsLeft = !stream.endsByItself || state.wasConnected || state.failures < environment.options.maxAttempts;
  if (forGood || !attemptsLeft || nowMs - state.brokenSinceMs >= stream.reconnectMs) throw failure;
  return state.step === 'follow' ? 0 : retryDelayMs(environment, state.failures);
}
