import { type Disk, isErrno } from '@shanghai/env';

/** Removes a directory and everything in it. A crash in between leaves part of it; calling again goes on. */
export async function removeTree(disk: Disk, path: string): Promise<void> {
  for (const name of await disk.list(path)) {
    const inner = `${path}/${name}`;
    if ((await disk.stat(inner))?.kind === 'directory') await removeTree(disk, inner);
    else await disk.remove(inner);
  }
  await disk.removeDirectory(path);
}

/** `removeTree` where there is such a directory. */
export async function removeIfPresent(disk: Disk, path: string): Promise<void> {
  if ((await disk.stat(path)) !== undefined) await removeTree(disk, path);
}

/** The names in a directory; none where there is no such directory. */
export async function listIfPresent(disk: Disk, directory: string): Promise<string[]> {
  try {
    return await disk.list(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
