/**
 * Reads that wait for the proof that their leader leads (ReadIndex, Raft dissertation 6.4).
 *
 * Rounds are numbered. A round begins when heartbeats that carry its number are made; who answers one confirms the
 * leader as of that moment, for this round and all before it. A read is bound to a round whose heartbeats have not left
 * yet: to the one being made, or to a new one. So reads that come together cost one round, and none is ever answered by
 * a confirmation that was asked for before it came.
 */

import type { Message } from './message.js';
import { type JointVoters, jointCommitted } from './quorum/joint.js';

/** A read and the commit index it was given. */
export interface BoundRead {
  readonly request: Message;
  readonly index: number;
  readonly round: number;
}

/** As many reads may wait for a confirmation. */
export const maxWaitingReads = 65_536;

/** The reads of one leader in one term. */
export class ReadRounds {
  #round = 0;
  /** Heartbeats of `#round` are still here. */
  #isOpen = false;
  readonly #waiting: BoundRead[] = [];
  readonly #acked = new Map<number, number>();

  /** The round that heartbeats should carry; 0 where nobody waits. */
  get round(): number {
    return this.#waiting.length === 0 ? 0 : this.#round;
  }

  get isFull(): boolean {
    return this.#waiting.length >= maxWaitingReads;
  }

  /** Binds a read to a round. Returns true where heartbeats have to be made for it. */
  bind(request: Message, index: number): boolean {
    const begins = !this.#isOpen;
    if (begins) this.#round++;
    this.#isOpen = true;
    this.#waiting.push({ request, index, round: this.#round });
    return begins;
  }

  /** The heartbeats made so far leave: the next read needs others. */
  close(): void {
    this.#isOpen = false;
  }

  /** Takes a member's answer, and returns the reads that a majority has confirmed now. `self` needs no heartbeat. */
  confirm(from: number, round: number, voters: JointVoters, self: number): readonly BoundRead[] {
    if (round <= (this.#acked.get(from) ?? 0)) return [];
    this.#acked.set(from, round);
    return this.release(voters, self);
  }

  /** Takes out the reads that a majority of these voters has confirmed: who they are may have changed. */
  release(voters: JointVoters, self: number): readonly BoundRead[] {
    if (this.#waiting.length === 0) return [];
    const confirmed = jointCommitted(voters, (id) => (id === self ? this.#round : this.#acked.get(id)));
    let count = 0;
    while (count < this.#waiting.length && (this.#waiting[count] as BoundRead).round <= confirmed) count++;
    return this.#waiting.splice(0, count);
  }

  /** Takes out everything: the leader leads no more. */
  abandon(): readonly BoundRead[] {
    return this.#waiting.splice(0);
  }
}
