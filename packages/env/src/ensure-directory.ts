import type { Disk } from './disk.js';
import { parentDirectory } from './parent-directory.js';

/**
 * Makes a directory and those above it, durably: it still exists after a power failure. Syncs the parent even where
 * the directory was already there, because an earlier process may have made it and died before its own sync.
 */
export async function ensureDirectory(disk: Disk, directory: string): Promise<void> {
  const parents = [parentDirectory(directory)];
  for (let path = parents[0] as string; path !== '/' && path !== '.'; path = parentDirectory(path)) {
    if ((await disk.stat(path)) !== undefined) break;
    parents.push(parentDirectory(path));
  }
  await disk.makeDirectory(directory);
  for (const parent of parents) await disk.syncDirectory(parent);
}
