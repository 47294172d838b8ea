/**
 * What a node knows of all members, itself among them: a record for each, the ring of those present, and the hashes by
 * which two views are compared without being sent. Records only get newer (`supersedes`), so views that exchange them
 * become equal whatever the order.
 */
import type { Random } from '@shanghai/env';
import { isGone, isPresent, type Member, rankOf, supersedes } from './member.js';
import { memberLimits } from './member-limits.js';
import type { MemberVersion } from './message.js';
import { mix } from './mix.js';
import { Ring } from './ring.js';

/** Into how many parts a view is divided for comparison. */
export const bucketCount = 32;

/** A member and when something was heard from it, at first hand or from somebody who was just answered by it. */
export interface KnownMember {
  record: Member;
  /** Monotonic; `undefined`: never. */
  heardMs: number | undefined;
  /** When it was last told how it is seen. */
  toldMs: number | undefined;
}

/** The word of a record in the hashes. */
export function hashOf({ nodeId, incarnation, state }: MemberVersion): number {
  return mix((mix(nodeId) ^ Math.imul(mix(incarnation), 31) ^ rankOf(state)) >>> 0);
}

/** The members. */
export class MemberView {
  readonly ring = new Ring();
  readonly #members = new Map<number, KnownMember>();
  readonly #hashes = new Array<number>(bucketCount).fill(0);
  readonly #gone: number[] = [];
  readonly #down = new Set<number>();
  /** Who is present, by name. */
  readonly #named = new Map<string, Set<number>>();
  #hash = 0;

  get size(): number {
    return this.#members.size;
  }

  /** Of all records. */
  get hash(): number {
    return this.#hash;
  }

  /** Of each bucket. The caller must not change it. */
  get hashes(): readonly number[] {
    return this.#hashes;
  }

  /** Those who are down. The caller must not change it. */
  get down(): ReadonlySet<number> {
    return this.#down;
  }

  get(nodeId: number): KnownMember | undefined {
    return this.#members.get(nodeId);
  }

  /** Another member that is present and has this name. */
  holderOf(name: string, butNot: number): Member | undefined {
    for (const nodeId of this.#named.get(name) ?? []) {
      if (nodeId !== butNot) return this.#members.get(nodeId)?.record;
    }
    return undefined;
  }

  all(): IterableIterator<KnownMember> {
    return this.#members.values();
  }

  /** Takes a record in where it is news, and gives what was known before, or null for nothing. `undefined`: no news. */
  take(record: Member): Member | null | undefined {
    const known = this.#members.get(record.nodeId);
    if (known === undefined) {
      if (!this.#hasPlaceFor(record)) return undefined;
      this.#members.set(record.nodeId, { record, heardMs: undefined, toldMs: undefined });
      this.#note(undefined, record);
      return null;
    }
    const before = known.record;
    if (!supersedes(record, before)) return undefined;
    known.record = record;
    this.#note(before, record);
    return before;
  }

  /** What is known of the members in some buckets. */
  versionsIn(buckets: number): MemberVersion[] {
    const versions: MemberVersion[] = [];
    for (const { record } of this.#members.values()) {
      if (isIn(buckets, record.nodeId)) versions.push(record);
    }
    return versions;
  }

  /** A bit for each bucket whose hash is another. */
  bucketsOtherThan(hashes: readonly number[]): number {
    let buckets = 0;
    for (let i = 0; i < bucketCount; i++) if (hashes[i] !== this.#hashes[i]) buckets |= 1 << i;
    return buckets >>> 0;
  }

  /** Up to `count` different present members of which `isWanted`, picked by chance. */
  pick(count: number, random: Random, isWanted: (nodeId: number) => boolean): number[] {
    const { ring } = this;
    const picked: number[] = [];
    if (ring.size <= 4 * count) {
      const all = Array.from({ length: ring.size }, (_, i) => ring.at(i)).filter(isWanted);
      return shuffle(all, random).slice(0, count);
    }
    for (let tries = 0; picked.length < count && tries < 8 * count; tries++) {
      const nodeId = ring.at(random.below(ring.size));
      if (!picked.includes(nodeId) && isWanted(nodeId)) picked.push(nodeId);
    }
    return picked;
  }

  /** There is a bound for all, and one for those who have gone: of them the highest ids are kept, the same on all nodes. */
  #hasPlaceFor(record: Member): boolean {
    const lowestGone = this.#gone[0];
    if (isGone(record.state) && this.#gone.length >= memberLimits.goneMembers && record.nodeId < (lowestGone ?? 0)) {
      return false;
    }
    return this.#members.size < memberLimits.members;
  }

  #note(before: Member | undefined, record: Member): void {
    const { nodeId, state } = record;
    if (before !== undefined) this.#toggle(before);
    this.#toggle(record);
    const isCalledTheSame = before?.name === record.name && isPresent(before.state) === isPresent(state);
    if (!isCalledTheSame) {
      if (before !== undefined) this.#unname(before);
      if (isPresent(state)) this.#name(record);
    }
    if (isPresent(state)) this.ring.add(nodeId);
    else this.ring.remove(nodeId);
    if (state === 'down') this.#down.add(nodeId);
    else this.#down.delete(nodeId);
    if (before !== undefined && isGone(before.state)) this.#gone.splice(this.#gone.indexOf(nodeId), 1);
    if (isGone(state)) this.#remember(nodeId);
  }

  #name({ name, nodeId }: Member): void {
    const holders = this.#named.get(name);
    if (holders === undefined) this.#named.set(name, new Set([nodeId]));
    else holders.add(nodeId);
  }

  #unname({ name, nodeId }: Member): void {
    const holders = this.#named.get(name);
    holders?.delete(nodeId);
    if (holders?.size === 0) this.#named.delete(name);
  }

  #remember(nodeId: number): void {
    let at = this.#gone.length;
    while (at > 0 && (this.#gone[at - 1] as number) > nodeId) at--;
    this.#gone.splice(at, 0, nodeId);
    if (this.#gone.length <= memberLimits.goneMembers) return;
    const oldest = this.#gone.shift() as number;
    this.#toggle((this.#members.get(oldest) as KnownMember).record);
    this.#members.delete(oldest);
  }

  #toggle(record: Member): void {
    const hash = hashOf(record);
    const bucket = record.nodeId % bucketCount;
    this.#hashes[bucket] = ((this.#hashes[bucket] as number) ^ hash) >>> 0;
    this.#hash = (this.#hash ^ hash) >>> 0;
  }
}

/** Whether a node's bucket is among some. */
export function isIn(buckets: number, nodeId: number): boolean {
  return ((buckets >>> (nodeId % bucketCount)) & 1) === 1;
}

function shuffle(nodeIds: number[], random: Random): number[] {
  for (let i = nodeIds.length - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [nodeIds[i], nodeIds[other]] = [nodeIds[other] as number, nodeIds[i] as number];
  }
  return nodeIds;
}
