import { CodedError, type CodedErrorOptions } from '@shanghai/env';

/** Why work on a backup or an archive ended. Codes mean what they mean on the wire, and have the same exit codes. */
export type BackupErrorCode =
  /** There is no backup, or no archive, where one was named. */
  | 'NOT_FOUND'
  /** The place to write to is taken. Nothing was written. */
  | 'ALREADY_EXISTS'
  /** What was asked for contradicts itself or the backup. */
  | 'INVALID_REQUEST'
  /** The point that was asked for is not in the archive. */
  | 'OUT_OF_RANGE'
  /** A newer version wrote it. */
  | 'UNSUPPORTED'
  /** It is not what was written, or not all of it. */
  | 'DATA_CORRUPTED'
  /** It was given up from outside. */
  | 'INTERRUPTED';

/** A failure of work on backups and archives. What was being made is not there. */
export class BackupError extends CodedError<BackupErrorCode> {
  constructor(code: BackupErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
