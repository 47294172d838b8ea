import { deadBytes, type Segment } from './segment.js';
import { segmentHeaderBytes } from './segment-header.js';

/** Which segments a merge should take; pure, so that every reason not to merge can be tested and told to the operator. */

/** What makes a merge worth it. */
export interface MergeThresholds {
  /** A segment counts from this share of dead bytes on. */
  readonly staleRatio: number;
  /** A merge begins with at least so many. */
  readonly minSegments: number;
  /** Fewer are enough where they hold so many dead bytes together. */
  readonly deadBytes: number;
  /** Fewer are enough where this share of the whole store is dead. */
  readonly storeStaleRatio: number;
  readonly segmentBytes: number;
}

/** At most so many inputs at once: each costs a hint block of memory, and a long merge holds its inputs' space. */
export const maxMergeInputs = 64;
/** At most so many bytes are copied at once, unless one segment alone has more: until the end they lie there twice. */
export const maxMergeLiveBytes = 2_147_483_648;

/** This many sealed segments, each below a sixteenth of the full size, are worth joining although nothing in them is dead. */
export const smallSegmentsWorthMerging = 16;
const smallShare = 1 / 16;

/** Why a merge is worth it, in the order in which reasons are looked at. */
export type MergeReason = 'empty' | 'stale' | 'dead-bytes' | 'stale-store' | 'small' | 'none';

/** The next merge: its inputs, oldest first; none with reason `none`. */
export interface MergePlan {
  readonly reason: MergeReason;
  readonly inputs: readonly Segment[];
}

/** What a segment keeps from being merged or counted, beside its numbers. */
export interface MergeView {
  /** Segments with records above it hold writes that are not visible yet, and would look dead. */
  readonly visibleSequence: number;
  /** Segments that cannot be read; merges leave them alone. */
  readonly damaged: ReadonlySet<number>;
  /** Live bytes that have expired, as far as is guessed, by file id. */
  readonly expired: ReadonlyMap<number, number>;
}

/** Share of a segment's records, in bytes, that a merge would leave out. */
export function staleRatioOf(segment: Segment, view: MergeView): number {
  const recordBytes = segment.bytes - segmentHeaderBytes;
  return recordBytes === 0 ? 1 : freedBytes(segment, view) / recordBytes;
}

function freedBytes(segment: Segment, view: MergeView): number {
  return deadBytes(segment) + Math.min(segment.liveBytes, view.expired.get(segment.fileId) ?? 0);
}

/**
 * The next merge of the background. Only segments from `staleRatio` on are taken, the stalest first: what copying costs
 * stays below (1 − staleRatio) / staleRatio bytes for each byte freed. The other triggers lower how many it takes, not that.
 */
export function planMerge(segments: Iterable<Segment>, thresholds: MergeThresholds, view: MergeView): MergePlan {
  const all = [...segments];
  const sealed = all.filter((segment) => mayMerge(segment, view) && !view.damaged.has(segment.fileId));
  const stale = sealed.filter((segment) => staleRatioOf(segment, view) >= thresholds.staleRatio);
  stale.sort((a, b) => staleRatioOf(b, view) - staleRatioOf(a, view) || byAge(a, b));
  const reason = reasonFor(all, stale, thresholds, view);
  if (reason === 'empty')
    return { reason, inputs: stale.filter((segment) => staleRatioOf(segment, view) === 1).sort(byAge) };
  if (reason !== 'none') return { reason, inputs: limited(stale).sort(byAge) };
  const small = sealed.filter((segment) => segment.bytes < thresholds.segmentBytes * smallShare).sort(byAge);
  if (small.length < smallSegmentsWorthMerging) return { reason, inputs: [] };
  return { reason: 'small', inputs: limited(small) };
}

/** Every sealed segment, oldest first, damaged ones too: who asks for all of them is to hear of those. */
export function planForcedMerge(segments: Iterable<Segment>, view: MergeView): MergePlan {
  const inputs = [...segments].filter((segment) => mayMerge(segment, view)).sort(byAge);
  return { reason: inputs.length === 0 ? 'none' : 'stale', inputs };
}

function reasonFor(
  all: readonly Segment[],
  stale: readonly Segment[],
  thresholds: MergeThresholds,
  view: MergeView,
): MergeReason {
  if (stale.length === 0) return 'none';
  if (stale.length >= thresholds.minSegments) return 'stale';
  const dead = stale.reduce((sum, segment) => sum + freedBytes(segment, view), 0);
  if (dead >= thresholds.deadBytes) return 'dead-bytes';
  if (stale.length > 1 && storeStaleRatio(all, view) >= thresholds.storeStaleRatio) return 'stale-store';
  return stale.some((segment) => staleRatioOf(segment, view) === 1) ? 'empty' : 'none';
}

/** Dead share of all records, by bytes. */
function storeStaleRatio(segments: Iterable<Segment>, view: MergeView): number {
  let dead = 0;
  let bytes = 0;
  for (const segment of segments) {
    dead += freedBytes(segment, view);
    bytes += segment.bytes - segmentHeaderBytes;
  }
  return bytes === 0 ? 0 : dead / bytes;
}

function mayMerge(segment: Segment, view: MergeView): boolean {
  return segment.sealed && segment.maxSequence <= view.visibleSequence;
}

function limited(segments: readonly Segment[]): Segment[] {
  const chosen: Segment[] = [];
  let liveBytes = 0;
  for (const segment of segments.slice(0, maxMergeInputs)) {
    liveBytes += segment.liveBytes;
    if (chosen.length > 0 && liveBytes > maxMergeLiveBytes) break;
    chosen.push(segment);
  }
  return chosen;
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
