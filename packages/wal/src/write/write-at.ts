import { type DiskFile, invariant, isErrno, writeFully } from '@shanghai/env';
import { diskFullError } from '../wal-failures.js';

/**
 * Writes all of `buffer` at `position`, continuing short writes. `fileBytes` is the file's length; from `position` on
 * it holds nothing that counts. Rejects with `DISK_FULL` where the disk was full: then the file is as if nothing had
 * happened, durably. Any other rejection leaves the bytes there unknown.
 */
export async function writeAt(
  file: DiskFile,
  buffer: Uint8Array,
  position: number,
  fileBytes: number,
  writer: 'async' | 'blocking',
): Promise<void> {
  let done = 0;
  while (done < buffer.length) {
    const rest = done === 0 ? buffer : buffer.subarray(done);
    let moved: number;
    try {
      moved = writer === 'async' ? await file.write(rest, position + done) : file.writeSync(rest, position + done);
    } catch (error) {
      if (!isErrno(error, 'ENOSPC')) throw error;
      if (done > 0) await takeBack(file, position, done, fileBytes);
      throw diskFullError(error);
    }
    invariant(moved > 0 && moved <= rest.length, `write moved ${moved} of ${rest.length} bytes`);
    done += moved;
  }
}

/**
 * A disk runs full within a write: a part of it is down and may hold whole frames, which must not count after a crash.
 * Where the file was long enough they become zeros, which costs no space because the blocks are there; what made the
 * file longer is cut off. Synced, because the appends are about to be called not done.
 */
async function takeBack(file: DiskFile, position: number, written: number, fileBytes: number): Promise<void> {
  const within = Math.max(0, Math.min(written, fileBytes - position));
  if (position + written > fileBytes) await file.truncate(Math.max(fileBytes, position));
  if (within > 0) await writeFully(file, new Uint8Array(within), position);
  await file.sync();
}
