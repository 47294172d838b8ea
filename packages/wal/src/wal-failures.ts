/** The errors of this package that are made in more than one place. */
import { isErrno } from '@shanghai/env';
import { WalError } from './wal-error.js';

/** Damage in a segment: where, and which records it takes (both bounds inclusive; `lastLsn` undefined = unknown). */
export interface Damage {
  readonly segment: string;
  readonly offset: number;
  readonly firstLsn: number;
  readonly lastLsn: number | undefined;
  readonly reason: string;
}

/** Bytes that somebody was told are safe do not read back. */
export function corruptError(damage: Damage): WalError {
  const { segment, offset, firstLsn, lastLsn, reason } = damage;
  const range = lastLsn === undefined ? `from ${firstLsn} on` : `${firstLsn} to ${lastLsn}`;
  return new WalError(
    'CORRUPT',
    `segment '${segment}' is damaged at offset ${offset} (LSNs ${range}): ${reason}. Nothing was changed; ` +
      'restore the log from a replica or a backup, or look at it with verify and repair a copy',
    { details: { segment, offset, firstLsn, lastLsn: lastLsn ?? null, reason } },
  );
}

/** There is no space for what was asked; nothing of it was written. */
export function diskFullError(cause: unknown): WalError {
  return new WalError('DISK_FULL', 'no space left on the disk, nothing was written; free space and append again', {
    cause,
  });
}

/** A read, a rename or the like failed while the log was opened or read. */
export function ioError(what: string, cause: unknown): WalError {
  if (cause instanceof WalError) return cause;
  if (isErrno(cause, 'ENOSPC')) return diskFullError(cause);
  return new WalError('IO_ERROR', `${what} failed: ${messageOf(cause)}`, { cause, details: errnoDetails(cause) });
}

/** A write or sync failed: what the disk holds is unknown until the log is opened anew. */
export function poisonedError(cause: unknown): WalError {
  return new WalError(
    'WAL_POISONED',
    `a write or sync of the log failed (${messageOf(cause)}); its outcome is unknown, open the log anew`,
    { cause, details: errnoDetails(cause) },
  );
}

/** The log is closed or closing. */
export function closedError(): WalError {
  return new WalError('WAL_CLOSED', 'the log is closed');
}

/** The record was released and its segment is gone. */
export function trimmedError(lsn: number, firstLsn: number): WalError {
  return new WalError('LSN_TRIMMED', `LSN ${lsn} is no longer kept, the first kept is ${firstLsn}`, {
    details: { lsn, firstLsn },
  });
}

/** The record was replaced by a rewrite of its stream. */
export function replacedError(lsn: number, firstLsn: number): WalError {
  return new WalError('LSN_TRIMMED', `LSN ${lsn} is no longer kept: its stream was replaced by a later frame`, {
    details: { lsn, firstLsn },
  });
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function errnoDetails(cause: unknown): Record<string, unknown> {
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
  return code === undefined ? {} : { errno: code };
}
