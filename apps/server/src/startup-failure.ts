/** Why a server did not start, or could not go on, as one message for people and an exit code for programs. */
import { BitcaskError } from '@shanghai/bitcask';
import { CodedError } from '@shanghai/env';
import { WalError } from '@shanghai/wal';
import { ConfigError } from './config/config-error.js';
import { DataDirectoryError } from './data-directory-error.js';
import { EngineError } from './engine/engine-error.js';
import { ListenError } from './listen-error.js';
import { JoinError } from './members/join-error.js';

/** Exit codes of the server. */
export const exitCodes = {
  stopped: 0,
  failed: 1,
  configuration: 2,
  port: 3,
  locked: 4,
  dataDirectory: 5,
  newerFormat: 6,
  joining: 7,
} as const;

/** What to say and how to end. `isExpected`: the message says all there is, no stack is needed. */
export interface StartupFailure {
  readonly exitCode: number;
  readonly message: string;
  readonly isExpected: boolean;
}

/** Judges an error of starting, or one that ended a running server. */
export function startupFailure(error: unknown): StartupFailure {
  if (isFileSystemError(error)) {
    const message = `the data directory cannot be used: ${error.message}`;
    return { exitCode: exitCodes.dataDirectory, message, isExpected: true };
  }
  if (!(error instanceof CodedError)) {
    const message = error instanceof Error ? error.message : String(error);
    return { exitCode: exitCodes.failed, message, isExpected: false };
  }
  const exitCode = exitCodeOf(error);
  return { exitCode, message: error.message, isExpected: exitCode !== exitCodes.failed };
}

function exitCodeOf(error: CodedError<string>): number {
  if (error instanceof ConfigError) return exitCodes.configuration;
  if (error instanceof JoinError) return exitCodes.joining;
  if (error instanceof ListenError) return exitCodes.port;
  if (error.code === 'UNSUPPORTED_FORMAT') return exitCodes.newerFormat;
  if (error.code === 'LOCKED') return exitCodes.locked;
  const isOfDirectory =
    error instanceof DataDirectoryError ||
    error instanceof WalError ||
    error instanceof BitcaskError ||
    error instanceof EngineError;
  const isDamage = ['CORRUPT', 'DATA_CORRUPTED', 'LOG_REVERTED'].includes(error.code);
  return isOfDirectory || isDamage ? exitCodes.dataDirectory : exitCodes.failed;
}

/** Listeners have errors of their own, so what the system still refuses is a file or directory. */
function isFileSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'errno' in error && 'syscall' in error;
}
