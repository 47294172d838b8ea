import type { Disk } from './disk.js';
import { parentDirectory } from './parent-directory.js';
import { writeFully } from './write-fully.js';

/**
 * Puts `bytes` at `path` so that any reader, and any start after a crash, finds either the old file or the new one,
 * whole. Durable when it resolves; after a rejection either may stand.
 *
 * The bytes go to `<path>.tmp` beside it, are synced, renamed over, and the directory is synced: the order matters, for
 * a rename that reaches the disk before the bytes would expose an empty file. A temporary file that a crash left is
 * overwritten by the next call and means nothing. One call per path at a time.
 */
export async function replaceFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  if ((await disk.stat(temporary)) !== undefined) await disk.remove(temporary);
  const file = await disk.open(temporary, 'create');
  try {
    await writeFully(file, bytes, 0);
    await file.sync();
  } catch (error) {
    await file.close().catch(() => undefined);
    // The failure to report is the first one; a temporary file that stays is harmless.
    await disk.remove(temporary).catch(() => undefined);
    throw error;
  }
  await file.close();
  await disk.rename(temporary, path);
  await disk.syncDirectory(parentDirectory(path));
}
