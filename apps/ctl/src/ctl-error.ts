import { CodedError, type CodedErrorOptions } from '@shanghai/env';
import type { ErrorCode } from '@shanghai/proto';

/**
 * A code of the table of errors, or one of the tool's own: wrong arguments, Ctrl-C, a local file that cannot be used; what
 * `status` found the cluster to be, and the worst that `doctor` found.
 */
export type CtlErrorCode =
  | ErrorCode
  | 'USAGE'
  | 'INTERRUPTED'
  | 'LOCAL_FAILURE'
  | 'CLUSTER_DEGRADED'
  | 'CLUSTER_UNAVAILABLE'
  | 'WARNINGS_FOUND'
  | 'ERRORS_FOUND';

/** What a command fails with where the client or a store did not already say so. */
export class CtlError extends CodedError<CtlErrorCode> {
  constructor(code: CtlErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}

/** Wrong arguments: exit code 2. */
export function usageError(message: string): CtlError {
  return new CtlError('USAGE', message);
}

/** A mistake that is not in how the command was called, so that its help would not help: exit code 2 without the hint. */
export class MisuseError extends CtlError {
  constructor(message: string) {
    super('USAGE', message);
  }
}
