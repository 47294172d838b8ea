/**
 * The one table of errors on the wire: what a code means, its HTTP status, its gRPC status, the exit code of
 * `shanghaictl`, and whether the same request may be sent again as it is. Server, client and CLI all read it here.
 *
 * gRPC answers carry the code in the trailer `shanghai-error-code` and the details as JSON in
 * `shanghai-error-details-bin`; HTTP answers carry both in the envelope.
 */
import { status } from '@grpc/grpc-js';

/** One row of the table. */
export interface ErrorTableRow {
  readonly http: number;
  readonly grpc: status;
  /** Exit code of `shanghaictl`, in [1, 125]. 2 is left to usage errors. */
  readonly exit: number;
  /**
   * `'always'`: nothing was done, send it again. `'with-session'`: something may have been done; only a request with a
   * session and request number may be sent again. `'never'`: the same request fails in the same way.
   */
  readonly retry: 'always' | 'with-session' | 'never';
  readonly meaning: string;
}

const rows = {
  NOT_FOUND: row(404, status.NOT_FOUND, 3, 'never', 'There is no such key, log or route.'),
  ALREADY_EXISTS: row(409, status.ALREADY_EXISTS, 4, 'never', 'There is one of that name with other settings.'),
  INVALID_REQUEST: row(400, status.INVALID_ARGUMENT, 5, 'never', 'The request cannot be understood or breaks a limit.'),
  INVALID_PARAMETERS: row(
    400,
    status.INVALID_ARGUMENT,
    5,
    'never',
    'A query parameter has a value that is not allowed.',
  ),
  METHOD_NOT_ALLOWED: row(405, status.UNIMPLEMENTED, 5, 'never', 'The route is there, but not for this method.'),
  UNSUPPORTED: row(501, status.UNIMPLEMENTED, 6, 'never', 'This node or mode does not offer that.'),
  UNAUTHENTICATED: row(401, status.UNAUTHENTICATED, 7, 'never', 'The caller did not say who it is.'),
  PERMISSION_DENIED: row(403, status.PERMISSION_DENIED, 8, 'never', 'The caller may not do that.'),
  CONFLICT: row(409, status.ABORTED, 9, 'never', 'A condition did not hold; details name it and the current revision.'),
  OUT_OF_RANGE: row(
    416,
    status.OUT_OF_RANGE,
    10,
    'never',
    'The position is no longer, or not yet, there; details hold the first one kept.',
  ),
  SESSION_EXPIRED: row(
    410,
    status.FAILED_PRECONDITION,
    11,
    'never',
    'The session is not known (any more); open a new one.',
  ),
  RESOURCE_EXHAUSTED: row(
    429,
    status.RESOURCE_EXHAUSTED,
    12,
    'always',
    'A queue or quota is full; nothing was done. Send less, or later.',
  ),
  STORAGE_FULL: row(507, status.RESOURCE_EXHAUSTED, 13, 'always', 'The disk is full; nothing was done.'),
  OUTCOME_UNKNOWN: row(504, status.UNKNOWN, 14, 'with-session', 'The request may or may not have been done.'),
  DEADLINE_EXCEEDED: row(
    504,
    status.DEADLINE_EXCEEDED,
    15,
    'with-session',
    'The caller’s time ran out before the answer.',
  ),
  CANCELLED: row(499, status.CANCELLED, 16, 'with-session', 'The caller gave up.'),
  SERVICE_UNAVAILABLE: row(
    503,
    status.UNAVAILABLE,
    17,
    'always',
    'The node is starting, stopping or unreachable; nothing was done.',
  ),
  CLUSTER_ERROR: row(503, status.UNAVAILABLE, 18, 'always', 'The group has no leader here; nothing was done.'),
  DATA_CORRUPTED: row(
    500,
    status.DATA_LOSS,
    19,
    'never',
    'Stored bytes are damaged; details name file, offset and length.',
  ),
  INTERNAL_ERROR: row(
    500,
    status.INTERNAL,
    20,
    'with-session',
    'A defect of the server. Its log has the details under the correlation id.',
  ),
} as const satisfies Record<string, ErrorTableRow>;

/** A code on the wire. */
export type ErrorCode = keyof typeof rows;

/** Code → row, exhaustive by type. */
export const errorTable: Readonly<Record<ErrorCode, ErrorTableRow>> = rows;

/** Whether a string is a code of the table. */
export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(rows, value);
}

/** The code that stands for a bare gRPC status, where a peer sent no code of its own. */
export function errorCodeOfGrpcStatus(code: status): ErrorCode {
  switch (code) {
    case status.NOT_FOUND:
      return 'NOT_FOUND';
    case status.ALREADY_EXISTS:
      return 'ALREADY_EXISTS';
    case status.INVALID_ARGUMENT:
      return 'INVALID_REQUEST';
    case status.UNIMPLEMENTED:
      return 'UNSUPPORTED';
    case status.UNAUTHENTICATED:
      return 'UNAUTHENTICATED';
    case status.PERMISSION_DENIED:
      return 'PERMISSION_DENIED';
    case status.ABORTED:
      return 'CONFLICT';
    case status.OUT_OF_RANGE:
      return 'OUT_OF_RANGE';
    case status.FAILED_PRECONDITION:
      return 'INVALID_REQUEST';
    case status.RESOURCE_EXHAUSTED:
      return 'RESOURCE_EXHAUSTED';
    case status.DEADLINE_EXCEEDED:
      return 'DEADLINE_EXCEEDED';
    case status.CANCELLED:
      return 'CANCELLED';
    case status.UNAVAILABLE:
      return 'SERVICE_UNAVAILABLE';
    case status.DATA_LOSS:
      return 'DATA_CORRUPTED';
    case status.OK:
    case status.UNKNOWN:
      return 'OUTCOME_UNKNOWN';
    case status.INTERNAL:
      return 'INTERNAL_ERROR';
  }
}

/** Metadata keys that carry the code and the details of a failure, the cause of a request, and where to go instead. */
export const wireMetadata = {
  errorCode: 'shanghai-error-code',
  errorDetails: 'shanghai-error-details-bin',
  correlationId: 'x-correlation-id',
  leader: 'shanghai-leader',
  /** `1`: another node passed the request on, and it is not to be passed on again. */
  forwarded: 'shanghai-forwarded',
  /** The cluster that a node which passes a request on belongs to. */
  clusterId: 'shanghai-cluster-id',
} as const;

function row(http: number, grpc: status, exit: number, retry: ErrorTableRow['retry'], meaning: string): ErrorTableRow {
  return { http, grpc, exit, retry, meaning };
}
