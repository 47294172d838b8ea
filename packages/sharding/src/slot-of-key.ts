// Placement of keys. A key belongs to one of a fixed number of slots; slots, not keys, are placed on groups, so that
// moving data never means hashing every key anew. The hash is CRC-32 (that of zlib) because every language has it and
// short keys cost little; a client and a node that disagree about it would route past each other, so the golden values
// in the tests are part of the protocol.
//
// Keys that must lie together (for atomic batches) share a tag: where a key holds `{` and behind it a `}` with at least
// one byte between, only those bytes are hashed. The rule is that of Redis Cluster's key distribution model: the first
// `{`, then the first `}` behind it; `{}` is no tag, and the whole key is hashed.
import { crc32 } from '@shanghai/env';

const openingBrace = 0x7b;
const closingBrace = 0x7d;

/** Slots of a cluster unless it was made with another number. */
export const defaultSlots = 1024;

/** A cluster has at least one slot and at most so many. */
export const maxSlots = 65_536;

/** The part of a key that decides where it lies: `key[start, end)`, never empty unless the key is. */
export interface HashedRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The slot of a key, an integer in [0, slots): CRC-32 of its tag, or of the whole key where it has none, modulo `slots`.
 * `slots` is an integer in [1, 65,536]. Any key has a slot, also an empty one. Throws `RangeError` for other `slots`.
 */
export function slotOfKey(key: Uint8Array, slots: number): number {
  if (!Number.isInteger(slots) || slots < 1 || slots > maxSlots) {
    throw new RangeError(`slots must be an integer in [1, ${maxSlots}], got ${slots}`);
  }
  const { start, end } = hashedRange(key);
  return crc32(key, 0, start, end) % slots;
}

/** The bytes between the braces of a key's tag, as a view of the key; `undefined` where it has no tag. */
export function tagOfKey(key: Uint8Array): Uint8Array | undefined {
  const { start, end } = hashedRange(key);
  return end - start === key.length ? undefined : key.subarray(start, end);
}

/** Which bytes of a key are hashed: its tag's without the braces, else all. */
export function hashedRange(key: Uint8Array): HashedRange {
  const opening = key.indexOf(openingBrace);
  const closing = opening === -1 ? -1 : key.indexOf(closingBrace, opening + 1);
  const hasTag = closing > opening + 1;
  return hasTag ? { start: opening + 1, end: closing } : { start: 0, end: key.length };
}
