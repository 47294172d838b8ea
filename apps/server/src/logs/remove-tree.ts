import type { Disk } from '@shanghai/env';

/** Removes a directory and everything in it. A crash in between leaves part of it; calling again goes on. */
export async function removeTree(disk: Disk, path: string): Promise<void> {
  for (const name of await disk.list(path)) {
    const inner = `${path}/${name}`;
    if ((await disk.stat(inner))?.kind === 'directory') await removeTree(disk, inner);
    else await disk.remove(inner);
  }
  await disk.removeDirectory(path);
}
