import { errorTable } from '@shanghai/proto';
import { ClientError } from '../client-error.js';
import type { ClusterNode } from '../cluster/cluster-node.js';

/** A node that owes an answer is silent after so long without one, in milliseconds. */
export const silenceMs = 1_000;

/** Whether a node said that it cannot serve now, but another one may; nothing was done. */
export function isTurnedAway(failure: ClientError): boolean {
  return failure.answered && (failure.code === 'CLUSTER_ERROR' || failure.code === 'SERVICE_UNAVAILABLE');
}

/** Whether another node might do better: the connection broke, or the node says that it cannot serve now. */
export function blamesNode(failure: ClientError): boolean {
  return !failure.answered || isTurnedAway(failure);
}

/**
 * What a stream that ended means for a call that was sent on it and not answered. A server that stops answers what it had
 * begun and ends the stream by saying so: nothing of the rest was done. Any other end says nothing about the single
 * call, unless the server refused the stream as such and never answered anything.
 */
export function failureOfStream(error: ClientError | undefined, hasAnswered: boolean): ClientError {
  if (error === undefined) {
    return new ClientError('SERVICE_UNAVAILABLE', 'The server ended the stream before it answered', {
      waitedIn: 'answer',
    });
  }
  const refused = error.answered && !hasAnswered && errorTable[error.code].retry === 'never';
  if (refused || !error.sent || isTurnedAway(error)) return error;
  return new ClientError(error.code, error.message, { cause: error, details: error.details, waitedIn: 'answer' });
}

/** The failure of a request that was sent to a node before the client went on to another one. */
export function leftFailure(node: ClusterNode): ClientError {
  const message = `'${node.address}' had not answered when the client went on to another node`;
  return new ClientError('SERVICE_UNAVAILABLE', message, { waitedIn: 'answer', details: { endpoint: node.address } });
}
