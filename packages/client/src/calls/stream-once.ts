import { ClientError, toClientError } from '../client-error.js';
import type { StreamMethod, StreamMethods } from '../transport.js';
import type { CallEnvironment } from './call-environment.js';
import { CallScope } from './call-scope.js';
import { givenUpError } from './give-up.js';
import { blamesNode } from './stream-failure.js';
import { closedError } from './unary-calls.js';

/** A node that sends nothing for so long is given up, in milliseconds: it may have to read much before it answers. */
const silenceMs = 600_000;

/**
 * A stream of the contact node that is not taken up again where it breaks: what came is of no use without the rest. Other
 * endpoints are tried only until one can be reached. Throws a `ClientError`.
 */
export async function* streamOnce<Method extends StreamMethod>(
  environment: CallEnvironment,
  method: Method,
  request: StreamMethods[Method][0],
  signal: AbortSignal | undefined,
): AsyncGenerator<StreamMethods[Method][1], void, undefined> {
  const { options, contact, nodes, activity, closing } = environment;
  if (activity.closed) throw closedError();
  const scope = new CallScope(options.clock, signal === undefined ? {} : { signal }, closing);
  let isConnected = false;
  try {
    for (let attempt = 1; ; attempt++) {
      const node = contact.target();
      try {
        scope.restartTimer(silenceMs);
        scope.signal.throwIfAborted();
        const channel = await node.connected(scope.signal);
        isConnected = true;
        for await (const message of channel.stream(method, request, { signal: scope.signal })) {
          scope.stopTimer();
          yield message;
          scope.restartTimer(silenceMs);
        }
        return;
      } catch (error) {
        const failure = toClientError(error);
        if (scope.reason === undefined && blamesNode(failure)) contact.failed(node);
        const mayTryAnother = !isConnected && scope.reason === undefined && failure.code === 'SERVICE_UNAVAILABLE';
        if (!mayTryAnother || attempt >= Math.max(2, nodes.endpoints.length)) throw error;
      }
    }
  } catch (error) {
    if (scope.reason === undefined) throw error instanceof ClientError ? error : toClientError(error);
    const stage = isConnected ? 'answer' : 'connection';
    throw givenUpError({ kind: 'repeatable', maybeApplied: isConnected, stage, lastFailure: undefined }, scope.reason);
  } finally {
    scope.dispose();
  }
}
