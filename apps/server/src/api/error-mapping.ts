/**
 * Every failure → what the caller is told: a code of the table on the wire, a message, details. The maps are exhaustive
 * by type over each package's codes: a new code does not compile until somebody says here what it means to a caller.
 *
 * What is not listed is a defect of ours. Its text may hold anything (paths, values of other callers), so the caller
 * gets the correlation id under which the log has it, and nothing else.
 */
import { BitcaskError, type BitcaskErrorCode } from '@shanghai/bitcask';
import { CodedError } from '@shanghai/env';
import type { ErrorCode } from '@shanghai/proto';
import { WalError, type WalErrorCode } from '@shanghai/wal';
import { EngineError, type EngineErrorCode } from '../engine/engine-error.js';
import { ServerError } from '../requests/server-error.js';

/** A failure as it goes on the wire. */
export interface WireFailure {
  readonly code: ErrorCode;
  /** At most `maxMessageLength` characters, well-formed. */
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Longer messages are cut: they travel in trailers, which transports limit. */
export const maxMessageLength = 1_000;

const walCodes: Readonly<Record<WalErrorCode, ErrorCode>> = {
  CORRUPT: 'DATA_CORRUPTED',
  DISK_FULL: 'STORAGE_FULL',
  IO_ERROR: 'OUTCOME_UNKNOWN',
  LOCKED: 'SERVICE_UNAVAILABLE',
  LSN_TRIMMED: 'OUT_OF_RANGE',
  QUEUE_FULL: 'RESOURCE_EXHAUSTED',
  RECORD_TOO_LARGE: 'INVALID_REQUEST',
  UNSUPPORTED_FORMAT: 'UNSUPPORTED',
  WAL_CLOSED: 'SERVICE_UNAVAILABLE',
  WAL_POISONED: 'OUTCOME_UNKNOWN',
};

const bitcaskCodes: Readonly<Record<BitcaskErrorCode, ErrorCode>> = {
  CLOSED: 'SERVICE_UNAVAILABLE',
  CONDITION_FAILED: 'CONFLICT',
  CORRUPT: 'DATA_CORRUPTED',
  DISK_FULL: 'STORAGE_FULL',
  IO_ERROR: 'OUTCOME_UNKNOWN',
  KEY_TOO_LARGE: 'INVALID_REQUEST',
  LOCKED: 'SERVICE_UNAVAILABLE',
  POISONED: 'OUTCOME_UNKNOWN',
  QUEUE_FULL: 'RESOURCE_EXHAUSTED',
  READ_ONLY: 'UNSUPPORTED',
  SNAPSHOT_TOO_OLD: 'OUT_OF_RANGE',
  TARGET_NOT_EMPTY: 'INVALID_REQUEST',
  UNSUPPORTED_FORMAT: 'UNSUPPORTED',
  VALUE_TOO_LARGE: 'INVALID_REQUEST',
};

const engineCodes: Readonly<Record<EngineErrorCode, ErrorCode>> = {
  CLOSED: 'SERVICE_UNAVAILABLE',
  CORRUPT: 'DATA_CORRUPTED',
  DISK_FULL: 'STORAGE_FULL',
  IO_ERROR: 'OUTCOME_UNKNOWN',
  LOCKED: 'SERVICE_UNAVAILABLE',
  POISONED: 'OUTCOME_UNKNOWN',
  QUEUE_FULL: 'RESOURCE_EXHAUSTED',
  UNAVAILABLE: 'UNSUPPORTED',
  UNSUPPORTED_FORMAT: 'UNSUPPORTED',
};

/** The code of a failure. `RangeError` is a limit that a caller broke; any other foreign error is a defect. */
export function errorCodeOf(error: unknown): ErrorCode {
  if (error instanceof ServerError) return error.code;
  if (error instanceof WalError) return walCodes[error.code];
  if (error instanceof BitcaskError) return bitcaskCodes[error.code];
  if (error instanceof EngineError) return engineCodes[error.code];
  if (error instanceof RangeError) return 'INVALID_REQUEST';
  if (error instanceof Error && error.name === 'AbortError') return 'CANCELLED';
  return 'INTERNAL_ERROR';
}

/** What the caller is told of a failure. */
export function wireFailure(error: unknown, correlationId: string): WireFailure {
  const code = errorCodeOf(error);
  if (code === 'INTERNAL_ERROR' || !(error instanceof Error)) {
    const message = `internal error; the server's log has it under correlation id ${correlationId}`;
    return { code: 'INTERNAL_ERROR', message, details: {} };
  }
  return { code, message: wellFormed(error.message), details: error instanceof CodedError ? error.details : {} };
}

function wellFormed(message: string): string {
  const cut = message.length > maxMessageLength ? `${message.slice(0, maxMessageLength - 1)}…` : message;
  return cut.replace(/\p{Surrogate}/gu, '\ufffd');
}
