import { type Disk, LockError } from '@shanghai/env';
import { WalError } from '../wal-error.js';

/** Runs `work` while holding a directory's lock. Rejects with `LOCKED` where a log is open there. */
export async function withLock<T>(disk: Disk, directory: string, tool: string, work: () => Promise<T>): Promise<T> {
  const lock = await disk.lockDirectory(directory, { description: tool }).catch((error: unknown) => {
    if (!(error instanceof LockError)) throw error;
    throw new WalError('LOCKED', error.message, { cause: error, details: error.details });
  });
  try {
    return await work();
  } finally {
    await lock.release();
  }
}
