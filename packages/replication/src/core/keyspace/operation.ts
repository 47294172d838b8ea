import type { EntryId, EntryStamp } from '../entry-id.js';
import type { SeenVector } from './seen-vector.js';

/** What an entry of a keyspace's log does. */
export type KeyspaceOperation = PutOperation | DeleteOperation | VerdictOperation;

/** A write of a key. */
export type KeyOperation = PutOperation | DeleteOperation;

/** Gives a key a value. */
export interface PutOperation {
  readonly type: 'put';
  readonly seen: SeenVector;
  /** Not empty. */
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Milliseconds since 1970 from which on there is no such key; 0 = never. */
  readonly expiresAtMs: number;
}

/** Takes a key away. */
export interface DeleteOperation {
  readonly type: 'delete';
  readonly seen: SeenVector;
  /** Not empty. */
  readonly key: Uint8Array;
}

/**
 * An operator's word on entries of one stream that were too far ahead of a clock: `accept` folds them at once everywhere,
 * `drop` takes them out of the fold everywhere, also where they had been folded. A drop counts only for targets that are
 * later than the verdict: what all have long passed stays. Where both were said, `drop` holds.
 */
export interface VerdictOperation {
  readonly type: 'verdict';
  readonly seen: SeenVector;
  readonly decision: 'accept' | 'drop';
  readonly origin: number;
  readonly epoch: number;
  /** Sequences that grow, each with its key: who has folded it finds it by that. */
  readonly targets: readonly VerdictTarget[];
}

/** An entry that a verdict names. */
export interface VerdictTarget {
  readonly sequence: number;
  readonly key: Uint8Array;
}

/** Targets of one verdict, at most. */
export const maxVerdictTargets = 1024;

/** An entry of a keyspace's log with its name and time. */
export interface KeyspaceEntry {
  readonly stamp: EntryStamp;
  readonly operation: KeyspaceOperation;
}

/** An entry's name as a key of a map. */
export function entryKey({ origin, epoch, sequence }: EntryId): string {
  return `${origin}.${epoch}/${sequence}`;
}
