import { CodedError, type CodedErrorOptions } from './coded-error.js';

/** A held directory lock: no other process, thread or store of this host has the directory open for writing. */
export interface DirectoryLock {
  readonly directory: string;
  /** Gives the lock back. Idempotent; never rejects. A process that dies gives it back by dying. */
  release(): Promise<void>;
}

/** What `Disk.lockDirectory` takes beside the directory. */
export interface DirectoryLockOptions {
  /** Takes a lock that a process of another host left behind. Never breaks one whose holder lives on this host. Default false. */
  readonly breakLock?: boolean;
  /** Who holds it, for the message others see: `'shanghai server'`. Default `'unnamed'`. */
  readonly description?: string;
}

/**
 * `LOCKED`: a live process of this host holds it; details hold what is known of it (pid, description, host).
 * `LOCKED_BY_OTHER_HOST`: another host left a lock, and from here nobody can tell whether its holder lives;
 * `breakLock` takes it. `LOCK_UNSUPPORTED`: the file system cannot hold a Unix socket, or is read-only.
 * `LOCK_FAILED`: the directory is missing or refused; the cause is the errno.
 */
export type LockErrorCode = 'LOCKED' | 'LOCKED_BY_OTHER_HOST' | 'LOCK_UNSUPPORTED' | 'LOCK_FAILED';

/** Why a directory could not be locked. */
export class LockError extends CodedError<LockErrorCode> {
  constructor(code: LockErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
