import { CodedError, type CodedErrorOptions } from '@shanghai/env';

/**
 * `CORRUPT`: bytes that consensus wrote cannot be read. `INVALID_CONFIGURATION`: a change that no configuration can
 * take. `PEER_NOT_FOUND`: an answer from a node that is no member. `LOCAL_MESSAGE`: a message that may only come from
 * this node itself.
 */
export type RaftErrorCode = 'CORRUPT' | 'INVALID_CONFIGURATION' | 'LOCAL_MESSAGE' | 'PEER_NOT_FOUND';

/** What calls of this package fail with when the failure is not the caller's mistake. */
export class RaftError extends CodedError<RaftErrorCode> {
  constructor(code: RaftErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
