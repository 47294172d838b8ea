import { footerFlag } from '../core/frame.js';
import { segmentHeaderBytes } from '../core/segment-header.js';
import type { FrameCursor } from '../read/frame-cursor.js';
import type { Segment } from '../segment.js';

/** How a scan of a segment from its start ended. `footer`: the segment was sealed, `endOffset` is the footer's. */
export type ScanEnd = 'end' | 'unwritten' | 'bad' | 'footer';

/** Reads a segment's frames from the start and notes them in `segment`, up to the first place without the next one. */
export async function scanSegment(cursor: FrameCursor, segment: Segment): Promise<ScanEnd> {
  while (true) {
    const state = await cursor.load(segment.endOffset);
    if (state !== 'frame') return state;
    if (cursor.firstLsn !== segment.nextLsn) return 'bad';
    const isFooter = (cursor.flags & footerFlag) !== 0;
    segment.noteFrame(cursor.view, cursor.at, cursor.recordsView, cursor.recordsAt);
    if (isFooter) {
      segment.fileBytes = segment.endOffset + cursor.length;
      segment.sealed = true;
      segment.readableEnd = segment.endOffset;
      return 'footer';
    }
    segment.readableEnd = segment.endOffset;
  }
}

/** What lies behind the place where a segment's frames end: valid frames, and the highest durable end they state. */
export interface FramesBehind {
  readonly frames: number;
  readonly highestDurableEnd: number;
  /** First LSN of the first of them. */
  readonly firstLsn: number | undefined;
}

/** Looks for valid frames behind `segment.endOffset`. */
export async function framesBehind(cursor: FrameCursor, segment: Segment): Promise<FramesBehind> {
  let frames = 0;
  let highestDurableEnd = segmentHeaderBytes;
  let firstLsn: number | undefined;
  let from = segment.endOffset;
  while (true) {
    const offset = await cursor.find(from, segment.nextLsn);
    if (offset === undefined) return { frames, highestDurableEnd, firstLsn };
    frames++;
    highestDurableEnd = Math.max(highestDurableEnd, cursor.durableEnd);
    firstLsn ??= cursor.firstLsn;
    from = offset + cursor.length;
  }
}
