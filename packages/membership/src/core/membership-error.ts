import { CodedError, type CodedErrorOptions } from '@shanghai/env';

/**
 * `CORRUPT`: a message that cannot be read. `LIMIT_EXCEEDED`: metadata that is too large. `LISTEN_FAILED`: the
 * address cannot be had. `CLOSED`: used after its end.
 */
export type MembershipErrorCode = 'CORRUPT' | 'LIMIT_EXCEEDED' | 'LISTEN_FAILED' | 'CLOSED';

/** What calls of this package fail with when the failure is not the caller's mistake. */
export class MembershipError extends CodedError<MembershipErrorCode> {
  constructor(code: MembershipErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
