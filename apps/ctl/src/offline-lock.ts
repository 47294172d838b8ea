/**
 * Locks for offline work. A log or store inside a server's data directory has no lock of its own: the server locks the
 * data directory as a whole. So the tool looks upward for one (`node.json` marks it) and takes that lock too.
 */
import { dirname, join, resolve } from 'node:path';
import { type DirectoryLock, type Disk, LockError } from '@shanghai/env';

/** How far above a log or store the data directory can be: `wal` is one below, `groups/<id>` two. */
const maxLevels = 2;

const description = 'shanghaictl';

/** What is to be locked. */
export interface OfflineLockOptions {
  /** Also the directory itself; false where what runs under the lock takes that one itself. */
  readonly own: boolean;
  /** Nothing is written: a directory that cannot hold a lock (read-only media) is read without one. */
  readonly readOnly: boolean;
}

/** Takes the locks; resolves to what gives them back. Rejects with `LockError` where a server or another tool has one. */
export async function takeOfflineLocks(
  disk: Disk,
  directory: string,
  { own, readOnly }: OfflineLockOptions,
): Promise<() => Promise<void>> {
  const above = await dataDirectoryAbove(disk, directory);
  const locks: DirectoryLock[] = [];
  const release = async () => {
    for (const lock of locks.reverse()) await lock.release();
  };
  try {
    for (const path of [...(above === undefined ? [] : [above]), ...(own ? [directory] : [])]) {
      const lock = await tryLock(disk, path, readOnly);
      if (lock !== undefined) locks.push(lock);
    }
  } catch (error) {
    await release();
    throw error;
  }
  return release;
}

/** Runs `work` under the locks. */
export async function underOfflineLock<Result>(
  disk: Disk,
  directory: string,
  options: OfflineLockOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  const release = await takeOfflineLocks(disk, directory, options);
  try {
    return await work();
  } finally {
    await release();
  }
}

async function tryLock(disk: Disk, path: string, readOnly: boolean): Promise<DirectoryLock | undefined> {
  try {
    return await disk.lockDirectory(path, { description });
  } catch (error) {
    if (readOnly && error instanceof LockError && error.code === 'LOCK_UNSUPPORTED') return undefined;
    throw error;
  }
}

async function dataDirectoryAbove(disk: Disk, directory: string): Promise<string | undefined> {
  let path = resolve(directory);
  for (let level = 0; level < maxLevels; level += 1) {
    path = dirname(path);
    if ((await disk.stat(join(path, 'node.json')))?.kind === 'file') return path;
  }
  return undefined;
}
