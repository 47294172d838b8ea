import { type Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { type ErrorCode, errorCodeOfGrpcStatus, isErrorCode, wireMetadata } from '@shanghai/proto';
import { ClientError } from '../client-error.js';
import { detailsOfJson } from '../wire/error-wire.js';

/** Statuses that only a server gives, and before it did anything. */
const refusals: ReadonlySet<status> = new Set([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.PERMISSION_DENIED,
  status.UNAUTHENTICATED,
  status.FAILED_PRECONDITION,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNIMPLEMENTED,
]);

/**
 * A failed gRPC call as a `ClientError`. A status with our trailer is the server's answer. Without it only a refusal
 * counts as answered; UNAVAILABLE and the like may come from a connection that broke after the request went out.
 */
export function errorOfGrpc(error: unknown, endpoint: string): ClientError {
  if (!isServiceError(error)) {
    const message = error instanceof Error ? error.message : String(error);
    return new ClientError('SERVICE_UNAVAILABLE', `The call to '${endpoint}' broke: ${message}`, { cause: error });
  }
  const code = codeInTrailer(error.metadata);
  const details = { endpoint, ...leaderInTrailer(error.metadata), ...detailsInTrailer(error.metadata) };
  if (code !== undefined) return new ClientError(code, error.details, { cause: error, details, answered: true });
  return new ClientError(
    errorCodeOfGrpcStatus(error.code),
    `'${endpoint}' answered with gRPC status ${status[error.code]}: ${error.details}`,
    { cause: error, details, answered: refusals.has(error.code), waitedIn: 'answer' },
  );
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && typeof (error as Partial<ServiceError>).code === 'number';
}

function codeInTrailer(metadata: Metadata | undefined): ErrorCode | undefined {
  const value = metadata?.get(wireMetadata.errorCode)[0];
  return typeof value === 'string' && isErrorCode(value) ? value : undefined;
}

function detailsInTrailer(metadata: Metadata | undefined): Readonly<Record<string, unknown>> {
  const value = metadata?.get(wireMetadata.errorDetails)[0];
  return value === undefined ? {} : detailsOfJson(value.toString());
}

function leaderInTrailer(metadata: Metadata | undefined): { readonly leader?: string } {
  const value = metadata?.get(wireMetadata.leader)[0];
  return typeof value === 'string' && value !== '' ? { leader: value } : {};
}
