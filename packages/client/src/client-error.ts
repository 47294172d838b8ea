import { CodedError } from '@shanghai/env';
import { type ErrorCode, errorTable } from '@shanghai/proto';

/** Where a call was when it failed. */
export type CallStage =
  /** Behind other calls: the limits of requests or bytes in flight were reached. */
  | 'queue'
  /** No connection to any endpoint. */
  | 'connection'
  /** No node was found that leads the group. */
  | 'leader'
  /** A session was being opened, or its window of request numbers was full. */
  | 'session'
  /** Sent; the server has not answered. */
  | 'answer'
  /** Between two attempts. */
  | 'back-off';

/** What a `ClientError` carries beside its code and message. */
export interface ClientErrorOptions {
  readonly cause?: unknown;
  readonly details?: Readonly<Record<string, unknown>>;
  /** Whether the request may have reached a server. Default true, the careful assumption. */
  readonly sent?: boolean;
  /** Whether a server answered with this error, rather than a connection that broke. Default false. */
  readonly answered?: boolean;
  readonly waitedIn?: CallStage;
}

/**
 * A failed call. `code` is one of the error table that the server, the HTTP API and the command line share; `details`
 * are the server's (for `CONFLICT`: condition, key and revision; for `OUT_OF_RANGE`: the first position kept).
 *
 * A write that may have been done although the call failed has the code `OUTCOME_UNKNOWN`, whatever the reason; the
 * reason is the `cause`.
 */
export class ClientError extends CodedError<ErrorCode> {
  /** Whether the same request may be sent again without doing anything twice: nothing was done. */
  readonly retryable: boolean;
  /** Whether the request may have reached a server. */
  readonly sent: boolean;
  /** Whether a server answered with this error. */
  readonly answered: boolean;
  /** Where the call was when it failed; absent where the server answered. */
  readonly waitedIn: CallStage | undefined;

  constructor(code: ErrorCode, message: string, options: ClientErrorOptions = {}) {
    super(code, message, options);
    this.sent = options.sent ?? true;
    this.answered = options.answered ?? false;
    this.retryable = errorTable[code].retry === 'always' || !this.sent;
    this.waitedIn = options.waitedIn;
  }
}

/** The failure as a `ClientError`: itself, or wrapped as `INTERNAL_ERROR` where it is something unforeseen. */
export function toClientError(error: unknown): ClientError {
  if (error instanceof ClientError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ClientError('INTERNAL_ERROR', `Unexpected failure in the client: ${message}`, { cause: error });
}
