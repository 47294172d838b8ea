/**
 * What the writer of an entry had seen of its log when it wrote: how far in each stream. With it two writes of a key are
 * told apart exactly: the later one followed the earlier one, or neither knew of the other. A vector names every stream but
 * the entry's own, of which a writer has always seen all.
 */
import type { EntryId } from '../entry-id.js';
import type { FieldReader, FieldWriter } from './field-bytes.js';

/** Last sequences seen, in the order of origin and epoch, no stream twice. */
export type SeenVector = readonly EntryId[];

/** Streams one vector may name. */
export const maxSeenStreams = 65_536;

/** Whether the writer of `id` with the vector `seen` had seen `other`. An entry has not seen itself. */
export function hasSeen(id: EntryId, seen: SeenVector, other: EntryId): boolean {
  if (id.origin === other.origin && id.epoch === other.epoch) return other.sequence < id.sequence;
  for (const { origin, epoch, sequence } of seen) {
    if (origin === other.origin && epoch === other.epoch) return other.sequence <= sequence;
  }
  return false;
}

/** A vector of positions in any order, without the writer's own stream and without streams of which nothing was seen. */
export function seenVector(
  positions: Iterable<EntryId>,
  own: { readonly origin: number; readonly epoch: number },
): SeenVector {
  const seen: EntryId[] = [];
  for (const { origin, epoch, sequence } of positions) {
    if (sequence === 0 || (origin === own.origin && epoch === own.epoch)) continue;
    seen.push({ origin, epoch, sequence });
  }
  return seen.sort(byStream);
}

/** Writes a vector: a count, then origin, epoch, sequence of each stream. */
export function writeSeen(fields: FieldWriter, seen: SeenVector): void {
  fields.number(seen.length);
  for (const { origin, epoch, sequence } of seen) {
    fields.number(origin);
    fields.number(epoch);
    fields.number(sequence);
  }
}

/** Reads what `writeSeen` wrote. */
export function readSeen(fields: FieldReader): SeenVector {
  const count = fields.count(3);
  if (count > maxSeenStreams) throw fields.corrupt(`names ${count} streams, at most ${maxSeenStreams} are allowed`);
  const seen: EntryId[] = [];
  for (let i = 0; i < count; i++) {
    const next = { origin: fields.number(), epoch: fields.number(), sequence: fields.number() };
    const last = seen.at(-1);
    if (last !== undefined && byStream(last, next) >= 0) throw fields.corrupt('names streams out of order');
    seen.push(next);
  }
  return seen;
}

function byStream(a: EntryId, b: EntryId): number {
  return a.origin - b.origin || a.epoch - b.epoch;
}
