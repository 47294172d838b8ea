import { isErrno } from './coded-error.js';
import type { Disk, DiskFile } from './disk.js';
import { errnoError } from './errno-error.js';
import { readFully } from './read-fully.js';

/**
 * A file's bytes, in a buffer of their own, or `undefined` where there is no such file. A file longer than `maxBytes`
 * rejects with `EFBIG` before anything of that size is allocated.
 */
export async function readWholeFile(disk: Disk, path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  const file = await openIfPresent(disk, path);
  if (file === undefined) return undefined;
  try {
    const bytes = await file.size();
    if (bytes > maxBytes)
      throw errnoError('EFBIG', 'read', path, `it has ${bytes} bytes, at most ${maxBytes} expected`);
    const buffer = new Uint8Array(bytes);
    const read = await readFully(file, buffer, 0);
    return read === bytes ? buffer : buffer.slice(0, read);
  } finally {
    await file.close();
  }
}

async function openIfPresent(disk: Disk, path: string): Promise<DiskFile | undefined> {
  try {
    return await disk.open(path, 'read');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
