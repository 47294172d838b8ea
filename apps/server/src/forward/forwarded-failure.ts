import { type Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { type ErrorCode, errorCodeOfGrpcStatus, isErrorCode, wireMetadata } from '@shanghai/proto';
import type { RequestContext } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';

/** How the library says that a call never left: there was no connection to send it on. */
const neverSent = /^(?:No connection established|Name resolution failed|Failed to start)/;

/** Statuses that say, also without our trailer, that the call was refused before anything was done. */
const refusals: ReadonlySet<status> = new Set([
  status.INVALID_ARGUMENT,
  status.UNIMPLEMENTED,
  status.RESOURCE_EXHAUSTED,
  status.PERMISSION_DENIED,
  status.UNAUTHENTICATED,
]);

/** What became of a call to a leader that failed, for the caller it was made for. `LeaderCalls` says which failure means what. */
export function forwardedFailure(
  error: ServiceError,
  leader: string,
  context: RequestContext | undefined,
): ServerError {
  const code = codeInTrailer(error.metadata);
  if (code !== undefined) {
    return new ServerError(code, error.details, { cause: error, details: detailsInTrailer(error.metadata) });
  }
  if (context?.isCancelled === true) {
    const { reason } = context.signal;
    return reason instanceof ServerError ? reason : new ServerError('CANCELLED', 'the caller gave up');
  }
  if (error.code === status.UNAVAILABLE && neverSent.test(error.details)) {
    const message = `the leader at '${leader}' cannot be reached; nothing was done, try again`;
    return new ServerError('CLUSTER_ERROR', message, { cause: error, details: { unreachableLeader: leader } });
  }
  if (error.code === status.DEADLINE_EXCEEDED && context?.deadlineMs !== undefined) {
    return new ServerError('DEADLINE_EXCEEDED', `the deadline passed before the leader at '${leader}' answered`);
  }
  if (refusals.has(error.code))
    return new ServerError(errorCodeOfGrpcStatus(error.code), error.details, { cause: error });
  const message = `the leader at '${leader}' was asked and gave no answer (${status[error.code]}: ${error.details})`;
  return new ServerError('OUTCOME_UNKNOWN', message, { cause: error });
}

function codeInTrailer(metadata: Metadata | undefined): ErrorCode | undefined {
  const value = metadata?.get(wireMetadata.errorCode)[0];
  return typeof value === 'string' && isErrorCode(value) ? value : undefined;
}

function detailsInTrailer(metadata: Metadata): Readonly<Record<string, unknown>> {
  const json = metadata.get(wireMetadata.errorDetails)[0];
  if (json === undefined) return {};
  try {
    const details: unknown = JSON.parse(json.toString());
    return typeof details === 'object' && details !== null ? { ...details } : {};
  } catch {
    // Details that cannot be read must not hide the failure they belong to.
    return {};
  }
}
