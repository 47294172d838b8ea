/**
 * Cuts a torn tail. The bytes are copied aside first: what looks worthless to us may be all that somebody has left.
 * Then they are overwritten with zeros, not merely passed over: a later, shorter write could otherwise end exactly
 * where an old frame begins, and the scan would take it for a new one.
 *
 * A crash in the middle leaves either the copy not yet named, or part of the tail zeroed: the next opening comes to the
 * same verdict and does it again. An earlier copy is never overwritten, it may hold more.
 */
import { type Disk, type DiskFile, invariant, readFully, replaceFile, writeFully } from '@shanghai/env';
import { tornCopyName } from '../core/segment-names.js';
import type { TornTail } from '../wal.js';

/** Copies bytes from `offset` to the end of the segment aside, zeroes and syncs them. Trailing zeros are not copied. */
export async function cutTornTail(
  disk: Disk,
  directory: string,
  segment: { readonly name: string; readonly file: DiskFile },
  offset: number,
): Promise<TornTail> {
  const { name, file } = segment;
  const length = (await file.size()) - offset;
  invariant(length >= 0, `the tail of '${name}' begins at ${offset}, behind its end`);
  const tail = new Uint8Array(length);
  const read = await readFully(file, tail, offset);
  invariant(read === length, `read ${read} of ${length} bytes of the tail of '${name}'`);
  let bytes = length;
  while (bytes > 0 && tail[bytes - 1] === 0) bytes--;
  const copy = await freeCopyName(disk, directory, name, offset);
  await replaceFile(disk, `${directory}/${copy}`, tail.subarray(0, bytes));
  tail.fill(0);
  await writeFully(file, tail.subarray(0, bytes), offset);
  await file.sync();
  return { segment: name, offset, bytes, copy };
}

async function freeCopyName(disk: Disk, directory: string, name: string, offset: number): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const copy = tornCopyName(name, offset, attempt);
    if ((await disk.stat(`${directory}/${copy}`)) === undefined) return copy;
  }
}
