import { type DiskFile, invariant, isErrno } from '@shanghai/env';
import { diskFullError } from '../wal-failures.js';

/**
 * Writes all of `buffer` at `position`, continuing short writes. Rejects with `DISK_FULL` where the disk was full
 * before the first byte: then nothing happened. Any other rejection leaves the bytes there unknown.
 */
export async function writeAt(
  file: DiskFile,
  buffer: Uint8Array,
  position: number,
  writer: 'async' | 'blocking',
): Promise<void> {
  let done = 0;
  while (done < buffer.length) {
    const rest = done === 0 ? buffer : buffer.subarray(done);
    let moved: number;
    try {
      moved = writer === 'async' ? await file.write(rest, position + done) : file.writeSync(rest, position + done);
    } catch (error) {
      throw done === 0 && isErrno(error, 'ENOSPC') ? diskFullError(error) : error;
    }
    invariant(moved > 0 && moved <= rest.length, `write moved ${moved} of ${rest.length} bytes`);
    done += moved;
  }
}
