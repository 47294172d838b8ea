/**
 * Names of entries. A *stream* is what one origin wrote to one log in one epoch: numbered from 1 without gaps, written by
 * nobody else, and never rewritten; an origin that lost some of what it wrote goes on in a new epoch. So two entries of the
 * same name are the same entry, wherever they were met, and what a replica holds of a stream is a number.
 */
import { compareHlc, type Hlc } from './hlc.js';

/** A stream. */
export interface StreamId {
  /** ≥ 1. */
  readonly logId: number;
  /** Id of the node that writes it, ≥ 1. */
  readonly origin: number;
  /** ≥ 1. Epochs of an origin hold for all its logs and grow; it writes in one at a time. */
  readonly epoch: number;
}

/** An entry of a log, without its log. */
export interface EntryId {
  readonly origin: number;
  readonly epoch: number;
  /** ≥ 1. */
  readonly sequence: number;
}

/** Where and when an entry was written: what decides between two writers. */
export interface EntryStamp extends EntryId {
  /** Grows along a stream, and along the epochs of an origin. */
  readonly hlc: Hlc;
}

/** The name of a stream as a key of a map. */
export function streamKey({ logId, origin, epoch }: StreamId): string {
  return `${logId}/${origin}.${epoch}`;
}

/** Total order of all entries of a log, the same on every replica: by time, then origin, epoch, sequence. */
export function compareStamps(a: EntryStamp, b: EntryStamp): number {
  return compareHlc(a.hlc, b.hlc) || a.origin - b.origin || a.epoch - b.epoch || a.sequence - b.sequence;
}
