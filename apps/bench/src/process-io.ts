import { readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Bytes this process, all its threads, caused to be sent to the storage layer: `write_bytes` of `/proc/self/io`. A page
 * of the page cache that is written twice before it goes out counts once. `undefined` where there is no such file.
 */
export function bytesSentToStorage(): number | undefined {
  try {
    return writeBytesOf(readFileSync('/proc/self/io', 'latin1'));
  } catch {
    return undefined;
  }
}

/** `write_bytes` in the text of such a file. */
export function writeBytesOf(text: string): number | undefined {
  const digits = /^write_bytes: (\d+)$/m.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Bytes of all files of a directory that take up space, those below it included; files that vanish meanwhile are left out. */
export async function directoryBytes(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const found = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
    // Sparse files (maps that were made large ahead) take less than they are long.
    if (found !== undefined) bytes += Math.min(found.size, found.blocks * 512);
  }
  return bytes;
}
