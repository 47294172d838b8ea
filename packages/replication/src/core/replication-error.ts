import { CodedError, type CodedErrorOptions } from '@shanghai/env';

/**
 * `CORRUPT`: bytes that cannot be read. `GAP`: entries that do not follow what is there. `CREDIT_EXCEEDED`: a sender sent
 * more than it was granted, or was granted what cannot be. `FOREIGN`: positions or entries of another cluster, or of logs
 * that are not known. `DIVERGED`: two nodes hold another entry under the same name. `BUSY`: too many wait already. `CLOSED`:
 * used after its end.
 */
export type ReplicationErrorCode = 'CORRUPT' | 'GAP' | 'CREDIT_EXCEEDED' | 'FOREIGN' | 'DIVERGED' | 'BUSY' | 'CLOSED';

/** What calls of this package fail with when the failure is not the caller's mistake. */
export class ReplicationError extends CodedError<ReplicationErrorCode> {
  constructor(code: ReplicationErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
