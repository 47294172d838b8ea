import { CodedError, type CodedErrorOptions } from '@shanghai/env';

/**
 * `DISK_FULL`: nothing of the append was written, try again when there is space. `CORRUPT`: details hold segment,
 * offset, firstLsn, lastLsn. `UNSUPPORTED_FORMAT`: written by a newer version. `LOCKED`: another process holds the
 * directory. `LSN_TRIMMED`: details hold firstLsn. `WAL_POISONED`: a write or sync failed earlier, cause is that error.
 */
export type WalErrorCode =
  | 'CORRUPT'
  | 'DISK_FULL'
  | 'IO_ERROR'
  | 'LOCKED'
  | 'LSN_TRIMMED'
  | 'QUEUE_FULL'
  | 'RECORD_TOO_LARGE'
  | 'UNSUPPORTED_FORMAT'
  | 'WAL_CLOSED'
  | 'WAL_POISONED';

/** What every call of this package fails with when the failure is not the caller's mistake. */
export class WalError extends CodedError<WalErrorCode> {
  constructor(code: WalErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
