/**
 * The last applied changes of a group, in revision order, for those who watch. Bounded by count and by the bytes of the
 * buffers they keep alive (held-changes.ts): a watcher that falls behind the oldest change kept is told so, and the ring
 * never grows for anybody.
 */
import { invariant } from '@shanghai/env';
import { Broadcast } from './broadcast.js';
import { holdChanges } from './held-changes.js';

/** One applied change of a key. Key and value are views, of the command that wrote them or of a copy. */
export interface Change {
  readonly keyspaceId: number;
  readonly type: 'put' | 'delete';
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly revision: number;
  readonly expiresAtMs: number;
}

/** How much a ring keeps. */
export interface ChangeRingLimits {
  readonly maxChanges: number;
  /** Of the buffers that the changes keep alive. One change that pins more is kept alone. */
  readonly maxBytes: number;
}

/** What several changes pin together is at most this part of a ring, so that letting them go never empties it. */
const sharedPart = 1 / 16;

/** The ring of one group. */
export class ChangeRing {
  readonly #limits: ChangeRingLimits;
  readonly #changes: (Change | undefined)[];
  /** What letting go of the change at the same place releases. */
  readonly #pinnedBytes: Float64Array;
  #first = 0;
  #count = 0;
  #bytes = 0;
  #forgottenRevision: number;
  #revision: number;
  /** Told of every run that was published. */
  readonly published = new Broadcast();

  /** Begins empty behind `revision`: what was applied before is not kept. */
  constructor(limits: ChangeRingLimits, revision: number) {
    this.#limits = limits;
    this.#changes = new Array<Change | undefined>(limits.maxChanges);
    this.#pinnedBytes = new Float64Array(limits.maxChanges);
    this.#forgottenRevision = revision;
    this.#revision = revision;
  }

  /** Every change with a greater revision is here. */
  get forgottenRevision(): number {
    return this.#forgottenRevision;
  }

  /** Revision of the last write published. */
  get revision(): number {
    return this.#revision;
  }

  /** Adds a run's changes and the revision it reached, and wakes the watchers. */
  publish(changes: readonly Change[], revision: number): void {
    invariant(revision >= this.#revision, `revision fell from ${this.#revision} to ${revision}`);
    const held = holdChanges(changes, Math.floor(this.#limits.maxBytes * sharedPart));
    for (const [i, change] of held.changes.entries()) this.#add(change, held.pinnedBytes[i] as number);
    this.#revision = revision;
    this.published.notify();
  }

  /** Forgets all of it and goes on behind `revision`, which is no lower: another state took the place of this one. */
  restart(revision: number): void {
    invariant(revision >= this.#revision, `revision fell from ${this.#revision} to ${revision}`);
    this.#changes.fill(undefined);
    this.#first = 0;
    this.#count = 0;
    this.#bytes = 0;
    this.#forgottenRevision = revision;
    this.#revision = revision;
    this.published.notify();
  }

  /** Up to `limit` changes with a revision above `revision`, which must not be below `forgottenRevision`. */
  after(revision: number, limit: number): Change[] {
    invariant(revision >= this.#forgottenRevision, `changes after ${revision} are forgotten`);
    const found: Change[] = [];
    for (let i = this.#firstAfter(revision); i < this.#count && found.length < limit; i++) found.push(this.#at(i));
    return found;
  }

  #add(change: Change, bytes: number): void {
    while (this.#count > 0 && (this.#count >= this.#limits.maxChanges || this.#bytes + bytes > this.#limits.maxBytes)) {
      this.#dropFirst();
    }
    const place = (this.#first + this.#count) % this.#changes.length;
    this.#changes[place] = change;
    this.#pinnedBytes[place] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  #dropFirst(): void {
    const dropped = this.#at(0);
    this.#changes[this.#first] = undefined;
    this.#bytes -= this.#pinnedBytes[this.#first] as number;
    this.#first = (this.#first + 1) % this.#changes.length;
    this.#count--;
    this.#forgottenRevision = dropped.revision;
  }

  /** Binary search: changes lie in revision order, with gaps. */
  #firstAfter(revision: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#at(middle).revision > revision) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #at(i: number): Change {
    const change = this.#changes[(this.#first + i) % this.#changes.length];
    invariant(change !== undefined, 'a place of the ring is empty');
    return change;
  }
}
