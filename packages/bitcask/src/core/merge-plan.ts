import { deadBytes, type Segment } from './segment.js';
import { segmentHeaderBytes } from './segment-header.js';

/** Which segments a merge should take; pure, so that every reason not to merge can be tested and told to the operator. */

/** What makes a merge worth it. */
export interface MergeThresholds {
  /** A segment counts from this share of dead bytes on. */
  readonly staleRatio: number;
  /** A merge begins with at least so many. */
  readonly minSegments: number;
  readonly segmentBytes: number;
}

/** At most so many inputs at once: each costs a hint block of memory, and a long merge holds its inputs' space. */
export const maxMergeInputs = 64;

/** This many sealed segments, each below a sixteenth of the full size, are worth joining although nothing in them is dead. */
export const smallSegmentsWorthMerging = 16;
const smallShare = 1 / 16;

/** Share of a segment's records, in bytes, that a merge would leave out. */
export function staleRatioOf(segment: Segment): number {
  const recordBytes = segment.bytes - segmentHeaderBytes;
  return recordBytes === 0 ? 1 : deadBytes(segment) / recordBytes;
}

/** The inputs of the next merge, oldest first; empty where none is worth it. */
export function planMerge(segments: Iterable<Segment>, thresholds: MergeThresholds): Segment[] {
  const sealed = [...segments].filter((segment) => segment.sealed).sort(byAge);
  const stale = sealed.filter((segment) => staleRatioOf(segment) >= thresholds.staleRatio);
  if (stale.length >= thresholds.minSegments) return stale.slice(0, maxMergeInputs);
  const small = sealed.filter((segment) => segment.bytes < thresholds.segmentBytes * smallShare);
  return small.length >= smallSegmentsWorthMerging ? small.slice(0, maxMergeInputs) : [];
}

/** Every sealed segment, oldest first. */
export function planForcedMerge(segments: Iterable<Segment>): Segment[] {
  return [...segments].filter((segment) => segment.sealed).sort(byAge);
}

function byAge(a: Segment, b: Segment): number {
  return a.minSequence === b.minSequence ? a.fileId - b.fileId : a.minSequence < b.minSequence ? -1 : 1;
}

/** Whether the hour of `nowMs` (UTC) lies in [from, to), which may run over midnight. */
export function inWindow(
  nowMs: number,
  window: { readonly fromHour: number; readonly toHour: number } | undefined,
): boolean {
  if (window === undefined) return true;
  const hour = Math.floor(nowMs / 3_600_000) % 24;
  const { fromHour, toHour } = window;
  return fromHour <= toHour ? hour >= fromHour && hour < toHour : hour >= fromHour || hour < toHour;
}
