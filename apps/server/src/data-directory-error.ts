import { CodedError, type CodedErrorOptions } from '@shanghai/env';

/**
 * `LOCKED`: another process holds it. `UNREADABLE`: it cannot be read or written. `FULL`: no space to open it.
 * `UNSUPPORTED_FORMAT`: a newer version wrote it. `OTHER_NODE`: it belongs to another node or cluster than asked for.
 * `OTHER_ENGINE`: its stores are another engine's than asked for.
 * `REPLACED`: it was copied, restored or repaired, and the cluster's other nodes know the one before.
 * `REMOVED`: its node was taken out of the cluster.
 * `DAMAGED`: what is in it contradicts itself.
 */
export type DataDirectoryErrorCode =
  | 'LOCKED'
  | 'UNREADABLE'
  | 'FULL'
  | 'UNSUPPORTED_FORMAT'
  | 'OTHER_NODE'
  | 'OTHER_ENGINE'
  | 'REPLACED'
  | 'REMOVED'
  | 'DAMAGED';

/** Why a data directory cannot be opened. Nothing in it was lost. */
export class DataDirectoryError extends CodedError<DataDirectoryErrorCode> {
  constructor(code: DataDirectoryErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
