/**
 * After a failed sync the kernel marks the pages clean: a later sync succeeds, reads show the bytes, and the disk does not hold them.
 * A process that opens the log in that state would take frames for durable that a power failure then takes away, from
 * under newer ones that state the contrary.
 *
 * So the stretch that no frame proves to be synced is written once more, in place, the same bytes, and synced. However
 * that write tears, the bytes are what they were. After an orderly close the stretch is a single empty frame.
 */
import { type DiskFile, invariant, readFully, writeFully } from '@shanghai/env';
import type { Segment } from '../segment.js';

const sliceBytes = 1_048_576;

/** Writes the segment's bytes from the highest durable end stated to the last frame's end, or the footer's, again and syncs it. */
export async function rewriteUncovered(file: DiskFile, segment: Segment): Promise<void> {
  const from = segment.statedEnd;
  const end = segment.sealed ? segment.fileBytes : segment.endOffset;
  if (from >= end) return;
  const buffer = new Uint8Array(Math.min(sliceBytes, end - from));
  for (let at = from; at < end; at += buffer.length) {
    const slice = buffer.subarray(0, Math.min(buffer.length, end - at));
    const read = await readFully(file, slice, at);
    invariant(read === slice.length, `'${segment.name}' became shorter while it was opened`);
    await writeFully(file, slice, at);
  }
  await file.sync();
}
