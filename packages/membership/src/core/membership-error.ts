import { CodedError, type CodedErrorOptions } from '@shanghai/env';

/**
 * `CORRUPT`: a message that cannot be read. `WRONG_CLUSTER`: a node of another cluster. `NAME_TAKEN`: a member of that name
 * or id lives already. `LIMIT_EXCEEDED`: metadata that is too large. `CLOSED`: used after its end.
 */
export type MembershipErrorCode = 'CORRUPT' | 'WRONG_CLUSTER' | 'NAME_TAKEN' | 'LIMIT_EXCEEDED' | 'CLOSED';

/** What calls of this package fail with when the failure is not the caller's mistake. */
export class MembershipError extends CodedError<MembershipErrorCode> {
  constructor(code: MembershipErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
