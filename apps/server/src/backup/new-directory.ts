/**
 * A directory that is there as a whole or not at all: made under another name beside its place, synced, renamed. What a
 * crash leaves has the other name, and is of no use to anybody.
 */
import { type Disk, ensureDirectory, isErrno, parentDirectory, writeFully } from '@shanghai/env';
import { listIfPresent, removeIfPresent } from '../logs/remove-tree.js';
import { BackupError } from './backup-error.js';

/** The name under which a directory is made, or goes. */
export function partialName(directory: string, id: string): string {
  return `${directory}.partial-${id.slice(0, 8)}`;
}

/** Whether a name is that of a directory that was never finished, or is on its way out. */
export function isPartialName(name: string): boolean {
  return /\.partial-[0-9a-f]{8}$/.test(name);
}

/**
 * Calls `fill` with the directory under its other name, syncs all that is in it and gives it its own name. Where `fill` rejects
 * nothing is left. Rejects with `ALREADY_EXISTS` where the name is taken by something other than an empty directory.
 */
export async function makeDirectoryWhole<Result>(
  disk: Disk,
  directory: string,
  id: string,
  fill: (partial: string) => Promise<Result>,
): Promise<Result> {
  await refuseTaken(disk, directory);
  const partial = partialName(directory, id);
  const parent = parentDirectory(directory);
  await ensureDirectory(disk, parent);
  await removeIfPresent(disk, partial);
  try {
    await ensureDirectory(disk, partial);
    const result = await fill(partial);
    await syncTree(disk, partial);
    await refuseTaken(disk, directory);
    if ((await disk.stat(directory)) !== undefined) await disk.removeDirectory(directory);
    await disk.rename(partial, directory);
    await disk.syncDirectory(parent);
    return result;
  } catch (error) {
    await removeIfPresent(disk, partial).catch(() => undefined);
    throw error;
  }
}

/** Rejects with `ALREADY_EXISTS` where there is anything but an empty directory. */
export async function refuseTaken(disk: Disk, directory: string): Promise<void> {
  const stat = await disk.stat(directory);
  if (stat === undefined || (stat.kind === 'directory' && (await disk.list(directory)).length === 0)) return;
  throw new BackupError('ALREADY_EXISTS', `'${directory}' is there and not empty; name another one, or remove it`);
}

/** Writes a file of which the bytes are there. Not synced. */
export async function writeNewFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = await disk.open(path, 'create');
  try {
    await writeFully(file, bytes, 0);
  } finally {
    await file.close();
  }
}

/** Makes every file and every directory below durable. */
export async function syncTree(disk: Disk, directory: string): Promise<void> {
  for (const name of await listIfPresent(disk, directory)) {
    const path = `${directory}/${name}`;
    const stat = await disk.stat(path);
    if (stat?.kind === 'directory') await syncTree(disk, path);
    else if (stat?.kind === 'file') await syncFile(disk, path);
  }
  await disk.syncDirectory(directory);
}

async function syncFile(disk: Disk, path: string): Promise<void> {
  try {
    const file = await disk.open(path, 'write');
    await file.sync().finally(() => file.close());
  } catch (error) {
    // A lock that was given back meanwhile.
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
