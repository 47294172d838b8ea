import { crc32, type Disk, readFully } from '@shanghai/env';

const chunkBytes = 1_048_576;

/**
 * CRC-32 of a file's first `bytes` bytes. Rejects with `RangeError` where it is shorter, and with the signal's reason. Other work goes on
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
      crc = crc32(part, crc);
      at += part.length;
    }
    return crc;
  } finally {
    await file.close();
  }
}
