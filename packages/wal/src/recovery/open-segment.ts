import { type DiskFile, readFully } from '@shanghai/env';
import { decodeFooter, footerOffset, footerTrailerBytes } from '../core/segment-footer.js';
import { decodeSegmentHeader, segmentHeaderBytes } from '../core/segment-header.js';
import { FrameCursor } from '../read/frame-cursor.js';
import { Segment } from '../segment.js';
import { WalError } from '../wal-error.js';
import { corruptError } from '../wal-failures.js';

/** Window of scans. */
export const scanWindowBytes = 1_048_576;

/** Footers are rarely longer: a segment of 64 MiB has an index of 16 KiB. */
const footerGuessBytes = 20_480;

/** Reads a segment's header. Rejects with `CORRUPT` or `UNSUPPORTED_FORMAT`. */
export async function openSegment(file: DiskFile, directory: string, name: string, baseLsn: number): Promise<Segment> {
  const page = new Uint8Array(segmentHeaderBytes);
  const read = await readFully(file, page, 0);
  const decoded = decodeSegmentHeader(page.subarray(0, read));
  if (decoded.kind === 'unsupported') {
    const { major, features } = decoded;
    const message = `segment '${name}' has format ${major} with features ${features}; use a newer version`;
    throw new WalError('UNSUPPORTED_FORMAT', message, { details: { segment: name, major, features } });
  }
  const damage = { segment: name, offset: 0, firstLsn: baseLsn, lastLsn: undefined };
  if (decoded.kind === 'damaged') throw corruptError({ ...damage, reason: 'its header does not match its checksum' });
  if (decoded.header.baseLsn !== baseLsn) {
    throw corruptError({ ...damage, reason: `its header says that it begins with LSN ${decoded.header.baseLsn}` });
  }
  return new Segment(directory, decoded.header, await file.size());
}

/** A cursor over all of a segment's file. */
export function cursorOver(file: DiskFile, segment: Segment): FrameCursor {
  const read = (buffer: Uint8Array, position: number) => readFully(file, buffer, position);
  return new FrameCursor(read, segment.seed, segment.fileBytes, scanWindowBytes);
}

/** Takes a sealed segment's contents from its footer. Resolves to false where the file does not end with a valid one. */
export async function readFooter(file: DiskFile, segment: Segment): Promise<boolean> {
  const { fileBytes } = segment;
  const tail = new Uint8Array(Math.min(footerGuessBytes, fileBytes - segmentHeaderBytes));
  const tailAt = fileBytes - tail.length;
  if (tail.length < footerTrailerBytes || (await readFully(file, tail, tailAt)) < tail.length) return false;
  const offset = footerOffset(tail.subarray(-footerTrailerBytes));
  if (offset === undefined || offset < segmentHeaderBytes || offset >= fileBytes) return false;
  // Mostly the footer lies in what was read already.
  const read = async (buffer: Uint8Array, position: number) => {
    if (position < tailAt) return await readFully(file, buffer, position);
    const part = tail.subarray(position - tailAt, position - tailAt + buffer.length);
    buffer.set(part);
    return part.length;
  };
  const cursor = new FrameCursor(read, segment.seed, fileBytes, Math.min(fileBytes - offset, scanWindowBytes));
  if ((await cursor.load(offset)) !== 'frame' || offset + cursor.length !== fileBytes) return false;
  const summary = decodeFooter(cursor.view, cursor.at, segment.header.features);
  if (summary === undefined || summary.lastLsn - summary.records !== segment.header.baseLsn - 1) return false;
  segment.noteFooter(summary, offset, fileBytes);
  return true;
}
