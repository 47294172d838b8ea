import { CodedError, type CodedErrorOptions } from '@shanghai/env';

/**
 * What an engine other than bitcask fails with; codes that both have mean the same. `UNAVAILABLE`: its library cannot
 * be loaded on this machine. `POISONED`: an earlier write failed, and it is not known what was kept.
 */
export type EngineErrorCode =
  | 'CLOSED'
  | 'CORRUPT'
  | 'DISK_FULL'
  | 'IO_ERROR'
  | 'LOCKED'
  | 'POISONED'
  | 'QUEUE_FULL'
  | 'UNAVAILABLE'
  | 'UNSUPPORTED_FORMAT';

/** A failure of a storage engine. */
export class EngineError extends CodedError<EngineErrorCode> {
  constructor(code: EngineErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
