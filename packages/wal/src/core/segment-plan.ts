/** How large segments are, and when one ends. */
import { segmentHeaderBytes } from './segment-header.js';

/** The sizes a log was opened with. */
export interface SegmentSizes {
  readonly firstSegmentBytes: number;
  readonly segmentBytes: number;
}

/** Capacity of the segment that follows one of `previousBytes`: each doubles up to the limit. `undefined` = the first. */
export function nextCapacityBytes(sizes: SegmentSizes, previousBytes: number | undefined): number {
  if (previousBytes === undefined) return Math.min(sizes.firstSegmentBytes, sizes.segmentBytes);
  return Math.min(sizes.segmentBytes, Math.max(2 * previousBytes, sizes.firstSegmentBytes));
}

/** Capacity that holds a frame of `frameBytes` as well: a longer one gets a segment of its own length. */
export function capacityForFrame(capacityBytes: number, frameBytes: number): number {
  return Math.max(capacityBytes, segmentHeaderBytes + frameBytes);
}

/** Whether a frame fits behind `endOffset`. An empty segment takes any frame: waiting for a larger one would not end. */
export function fitsSegment(capacityBytes: number, endOffset: number, frameBytes: number): boolean {
  return endOffset === segmentHeaderBytes || endOffset + frameBytes <= capacityBytes;
}
