import type { CandidateBlock } from './core/candidate-batch.js';
import type { Segment, SegmentIdentity } from './core/segment.js';

/**
 * A merge has two sides. The copying reads inputs, checks, writes outputs, and may run on another thread: it knows
 * files only. The store's side answers what is live, gives names, keeps the pace. This is all they say to each other;
 * everything here can be cloned.
 */

/** What is to be copied. */
export interface MergeJob {
  readonly directory: string;
  readonly inputs: readonly Segment[];
  /** Every other live sealed segment: they may hold older records of a tombstone's key. */
  readonly others: readonly Segment[];
  /** Records that expire at or before this are left out. */
  readonly horizonMs: number;
  readonly segmentBytes: number;
  /** Candidates asked about at once. */
  readonly batchRecords: number;
  /** Bytes of records copied at once: what is read in the order of places is written in the order of keys. */
  readonly windowBytes: number;
}

/** What copying has written: outputs that are synced, their names not yet. */
export interface MergeCopied {
  readonly outputs: readonly Segment[];
  readonly recordsCopied: number;
  readonly tombstonesDropped: number;
  readonly recordsExpired: number;
  /** Something was left out. */
  readonly progressed: boolean;
}

/** The store's side. Every call may reject to end the merge. */
export interface MergeHost {
  /** One of `verdicts` for each candidate. */
  judge(block: CandidateBlock): Promise<Uint8Array>;
  /** A new segment file with a durable header, closed. */
  newOutput(): Promise<SegmentIdentity>;
  /** Tells what was read and written; resolves when work may go on. */
  spend(bytesRead: number, bytesWritten: number): Promise<void>;
}
