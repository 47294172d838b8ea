import type { DiskFile } from './disk.js';
import { invariant } from './invariant.js';

/** Writes all of `buffer` at `position`, continuing short writes. After a rejection any part of it may be written. */
export async function writeFully(file: DiskFile, buffer: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < buffer.length) {
    const rest = done === 0 ? buffer : buffer.subarray(done);
    const moved = await file.write(rest, position + done);
    invariant(moved > 0 && moved <= rest.length, `write moved ${moved} of ${rest.length} bytes`);
    done += moved;
  }
}

/** `writeFully`, blocking. */
export function writeFullySync(file: DiskFile, buffer: Uint8Array, position: number): void {
  let done = 0;
  while (done < buffer.length) {
    const rest = done === 0 ? buffer : buffer.subarray(done);
    const moved = file.writeSync(rest, position + done);
    invariant(moved > 0 && moved <= rest.length, `write moved ${moved} of ${rest.length} bytes`);
    done += moved;
  }
}
