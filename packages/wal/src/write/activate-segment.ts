import { type DiskFile, isErrno } from '@shanghai/env';
import { terminatorBytes } from '../core/frame-batch.js';
import { encodeSegmentHeader, type SegmentHeader, segmentHeaderBytes, toHex } from '../core/segment-header.js';
import type { ResolvedWalOptions } from '../resolve-wal-options.js';
import { Segment } from '../segment.js';
import { diskFullError } from '../wal-failures.js';
import type { PreparedFile, SegmentMaker } from './segment-maker.js';

/**
 * Turns a prepared file into the log's next segment: header, sync, name, directory sync, in this order, so that a
 * segment's name always has a whole header behind it. Until the rename a full disk does no harm: the file is discarded
 * and `DISK_FULL` thrown.
 */
export async function activateSegment(
  options: ResolvedWalOptions,
  maker: SegmentMaker,
  prepared: PreparedFile,
  plan: Pick<SegmentHeader, 'logId' | 'baseLsn' | 'capacityBytes' | 'features'>,
): Promise<{ readonly segment: Segment; readonly file: DiskFile }> {
  const { disk, directory, clock, random } = options;
  const pageBytes = segmentHeaderBytes + terminatorBytes;
  const header: SegmentHeader = {
    ...plan,
    segmentId: toHex(random.bytes(8)),
    createdMs: clock.nowMs(),
    allocatedBytes: prepared.bytes,
  };
  const segment = new Segment(directory, header, Math.max(prepared.bytes, pageBytes));
  try {
    const page = new Uint8Array(pageBytes);
    page.set(encodeSegmentHeader(header));
    for (let done = 0; done < pageBytes; ) done += await prepared.file.write(page.subarray(done), done);
    await prepared.file.sync();
    await disk.rename(prepared.path, segment.path);
  } catch (error) {
    await maker.discard(prepared);
    throw isErrno(error, 'ENOSPC') ? diskFullError(error) : error;
  }
  await disk.syncDirectory(directory);
  options.listener.segmentOpened?.({
    segment: segment.name,
    bytes: segment.fileBytes,
    recycled: prepared.recycled,
  });
  return { segment, file: prepared.file };
}
