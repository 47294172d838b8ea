import { type Disk, readFully } from '@shanghai/env';
import { crc32c } from '../engine/crc32c.js';

const chunkBytes = 1_048_576;

/**
 * CRC-32C of a file's first `bytes` bytes. Not CRC-32: of a file that ends with its own CRC-32, as a manifest does, that
 * is the same number whatever the file says, and files are told apart by it. Rejects with `RangeError` where it is shorter, and with the signal's reason. Other work goes on
 * between the chunks.
 */
export async function fileChecksum(disk: Disk, path: string, bytes: number, signal?: AbortSignal): Promise<number> {
  const file = await disk.open(path, 'read');
  try {
    const chunk = new Uint8Array(Math.min(chunkBytes, bytes));
    let crc = 0;
    for (let at = 0; at < bytes; ) {
      signal?.throwIfAborted();
      const part = chunk.subarray(0, Math.min(chunk.length, bytes - at));
      if ((await readFully(file, part, at)) < part.length) throw new RangeError(`'${path}' ends before ${bytes} bytes`);
      crc = crc32c(part, crc);
      at += part.length;
    }
    return crc;
  } finally {
    await file.close();
  }
}
