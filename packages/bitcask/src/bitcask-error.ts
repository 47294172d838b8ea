import { CodedError, type CodedErrorOptions } from '@shanghai/env';

/**
 * `CONDITION_FAILED`: details hold `current`, the key's sequence (0 = none). `CORRUPT`: details hold file, offset,
 * bytes. `DISK_FULL`: nothing of the write is visible, the store goes on. `POISONED`: a write or sync failed earlier.
 * `TARGET_NOT_EMPTY`: a snapshot goes into a directory that is absent or empty.
 */
export type BitcaskErrorCode =
  | 'CLOSED'
  | 'CONDITION_FAILED'
  | 'CORRUPT'
  | 'DISK_FULL'
  | 'IO_ERROR'
  | 'KEY_TOO_LARGE'
  | 'LOCKED'
  | 'POISONED'
  | 'QUEUE_FULL'
  | 'READ_ONLY'
  | 'SNAPSHOT_TOO_OLD'
  | 'TARGET_NOT_EMPTY'
  | 'UNSUPPORTED_FORMAT'
  | 'VALUE_TOO_LARGE';

/** What every call of this package fails with when the failure is not the caller's mistake. */
export class BitcaskError extends CodedError<BitcaskErrorCode> {
  constructor(code: BitcaskErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
