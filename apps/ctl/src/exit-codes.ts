/**
 * Exit codes. The numbers of wire errors are those of the table of errors in `@shanghai/proto`; they are written out
 * here because importing that package loads the gRPC library, which `--help` has no use for. A test compares the two.
 */
import type { BitcaskErrorCode } from '@shanghai/bitcask';
import { CodedError, type LockErrorCode } from '@shanghai/env';
import type { WalErrorCode } from '@shanghai/wal';
import type { CtlErrorCode } from './ctl-error.js';

/** Code → exit code, exhaustive by type. Several codes may share one. */
export const exitCodes: Readonly<Record<CtlErrorCode, number>> = {
  LOCAL_FAILURE: 1,
  USAGE: 2,
  NOT_FOUND: 3,
  ALREADY_EXISTS: 4,
  INVALID_REQUEST: 5,
  INVALID_PARAMETERS: 5,
  METHOD_NOT_ALLOWED: 5,
  UNSUPPORTED: 6,
  UNAUTHENTICATED: 7,
  PERMISSION_DENIED: 8,
  CONFLICT: 9,
  OUT_OF_RANGE: 10,
  SESSION_EXPIRED: 11,
  RESOURCE_EXHAUSTED: 12,
  STORAGE_FULL: 13,
  OUTCOME_UNKNOWN: 14,
  DEADLINE_EXCEEDED: 15,
  CANCELLED: 16,
  SERVICE_UNAVAILABLE: 17,
  CLUSTER_ERROR: 18,
  DATA_CORRUPTED: 19,
  INTERNAL_ERROR: 20,
  CLUSTER_DEGRADED: 21,
  WARNINGS_FOUND: 21,
  CLUSTER_UNAVAILABLE: 22,
  ERRORS_FOUND: 22,
  INTERRUPTED: 130,
};

/** What an error of a store that was opened directly means in the same terms. */
const storageCodes: Readonly<Record<WalErrorCode | BitcaskErrorCode | LockErrorCode, CtlErrorCode>> = {
  CLOSED: 'INTERNAL_ERROR',
  CONDITION_FAILED: 'CONFLICT',
  CORRUPT: 'DATA_CORRUPTED',
  DISK_FULL: 'STORAGE_FULL',
  IO_ERROR: 'LOCAL_FAILURE',
  KEY_TOO_LARGE: 'INVALID_REQUEST',
  LOCKED: 'SERVICE_UNAVAILABLE',
  LOCKED_BY_OTHER_HOST: 'SERVICE_UNAVAILABLE',
  LOCK_FAILED: 'LOCAL_FAILURE',
  LOCK_UNSUPPORTED: 'LOCAL_FAILURE',
  LSN_TRIMMED: 'OUT_OF_RANGE',
  POISONED: 'LOCAL_FAILURE',
  QUEUE_FULL: 'RESOURCE_EXHAUSTED',
  READ_ONLY: 'PERMISSION_DENIED',
  RECORD_TOO_LARGE: 'INVALID_REQUEST',
  SNAPSHOT_TOO_OLD: 'OUT_OF_RANGE',
  TARGET_NOT_EMPTY: 'INVALID_REQUEST',
  UNSUPPORTED_FORMAT: 'UNSUPPORTED',
  VALUE_TOO_LARGE: 'INVALID_REQUEST',
  WAL_CLOSED: 'INTERNAL_ERROR',
  WAL_POISONED: 'LOCAL_FAILURE',
};

/** The code an error is reported under. What is not a coded error is a local failure. */
export function codeOf(error: unknown): CtlErrorCode {
  if (!(error instanceof CodedError)) return error instanceof RangeError ? 'INVALID_REQUEST' : 'LOCAL_FAILURE';
  const code: string = error.code;
  if (Object.hasOwn(exitCodes, code)) return code as CtlErrorCode;
  if (Object.hasOwn(storageCodes, code)) return storageCodes[code as keyof typeof storageCodes];
  return 'LOCAL_FAILURE';
}

/** The text below `shanghaictl --help`. */
export const exitCodesHelp = `Exit codes:
   0 done                    8 permission denied       15 deadline exceeded
   1 local failure           9 conflict                16 cancelled
   2 wrong usage            10 position out of range   17 node unavailable, store locked
   3 not found              11 session expired         18 no leader
   4 already exists         12 queue or quota full     19 data corrupted
   5 invalid request        13 disk full               20 defect of the server
   6 unsupported            14 outcome unknown        130 interrupted (Ctrl-C)
   7 not authenticated      21 cluster degraded (status), warnings found (doctor)
                            22 cluster unavailable (status), errors found (doctor)`;
