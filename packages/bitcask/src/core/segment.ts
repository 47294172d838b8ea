import type { SegmentKind } from './segment-header.js';
import { segmentHeaderBytes } from './segment-header.js';

/** What the store knows of one live segment. The byte counts are kept true by `StoreIndex`. */
export interface Segment {
  readonly fileId: number;
  readonly segmentId: number;
  /** Seed of its records' checksums. */
  readonly seed: number;
  readonly kind: SegmentKind;
  /** Length of the file: final when `sealed`. */
  bytes: number;
  sealed: boolean;
  /** Bytes of records that the key directory points to. */
  liveBytes: number;
  tombstoneBytes: number;
  /** A merge found that older segments still hold keys its tombstones delete: these bytes are not dead. */
  tombstonesNeeded: boolean;
  /** Over all its records; `minSequence` is `Infinity` and `maxSequence` 0 where it has none. */
  minSequence: number;
  maxSequence: number;
  /** A valid hint file lies beside it. */
  hinted: boolean;
}

/** What makes a segment this one and no other. */
export type SegmentIdentity = Pick<Segment, 'fileId' | 'segmentId' | 'seed' | 'kind'>;

/** A segment that holds nothing but its header. */
export function createSegment(identity: SegmentIdentity): Segment {
  return {
    ...identity,
    bytes: segmentHeaderBytes,
    sealed: false,
    liveBytes: 0,
    tombstoneBytes: 0,
    tombstonesNeeded: false,
    minSequence: Number.POSITIVE_INFINITY,
    maxSequence: 0,
    hinted: false,
  };
}

/** Bytes that a merge would not write again, as far as is known: overwritten, deleted, marks, tombstones nobody was seen to need. */
export function deadBytes(segment: Segment): number {
  return (
    segment.bytes - segmentHeaderBytes - segment.liveBytes - (segment.tombstonesNeeded ? segment.tombstoneBytes : 0)
  );
}

/** Enters a record's sequence (and, for a tombstone, its bytes) into the segment's counts. */
export function countRecord(segment: Segment, sequence: number, tombstone: boolean, recordBytes: number): void {
  if (sequence < segment.minSequence) segment.minSequence = sequence;
  if (sequence > segment.maxSequence) segment.maxSequence = sequence;
  if (tombstone) segment.tombstoneBytes += recordBytes;
}

/** `countRecord` for records that follow each other, numbered `[first, last]`; none where `last` is below. */
export function countRecords(segment: Segment, first: number, last: number, tombstoneBytes: number): void {
  if (last < first) return;
  if (first < segment.minSequence) segment.minSequence = first;
  if (last > segment.maxSequence) segment.maxSequence = last;
  segment.tombstoneBytes += tombstoneBytes;
}
