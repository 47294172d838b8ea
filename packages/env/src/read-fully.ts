import type { DiskFile } from './disk.js';

/**
 * Fills `buffer` from `position` on, continuing short reads. Returns the bytes read: fewer than `buffer.length` only
 * where the file ended first.
 */
export async function readFully(file: DiskFile, buffer: Uint8Array, position: number): Promise<number> {
  let done = await file.read(buffer, position);
  while (done > 0 && done < buffer.length) {
    const moved = await file.read(buffer.subarray(done), position + done);
    if (moved === 0) break;
    done += moved;
  }
  return done;
}

/** `readFully`, blocking. */
export function readFullySync(file: DiskFile, buffer: Uint8Array, position: number): number {
  let done = file.readSync(buffer, position);
  while (done > 0 && done < buffer.length) {
    const moved = file.readSync(buffer.subarray(done), position + done);
    if (moved === 0) break;
    done += moved;
  }
  return done;
}
