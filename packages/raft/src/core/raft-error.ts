import { CodedError, type CodedErrorOptions } from '@shanghai/env';

/**
 * `CORRUPT`: bytes that consensus wrote cannot be read. `INVALID_CONFIGURATION`: a change that no configuration can
 * take. `PEER_NOT_FOUND`: an answer from a node that is no member. `LOCAL_MESSAGE`: a message that may only come from
 * this node itself. `LOG_DAMAGED`: a durable log lacks what it must hold. `LOG_FULL`: no space for it; it goes on when
 * there is. `LOG_FAILED`: it cannot be written any more. `LOG_REVERTED`: a log is behind what it acknowledged.
 * `DISK_STALLED`: the disk has not answered for so long that this node is of no use. `CLOSED`: used after its end.
 * `UNSUPPORTED_FORMAT`: a newer version wrote it.
 */
export type RaftErrorCode =
  | 'CORRUPT'
  | 'INVALID_CONFIGURATION'
  | 'LOCAL_MESSAGE'
  | 'PEER_NOT_FOUND'
  | 'LOG_DAMAGED'
  | 'LOG_FULL'
  | 'LOG_FAILED'
  | 'LOG_REVERTED'
  | 'DISK_STALLED'
  | 'CLOSED'
  | 'UNSUPPORTED_FORMAT';

/** What calls of this package fail with when the failure is not the caller's mistake. */
export class RaftError extends CodedError<RaftErrorCode> {
  constructor(code: RaftErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
