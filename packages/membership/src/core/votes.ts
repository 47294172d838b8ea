/** Who holds a node for gone. Kept by its observers only; a vote is of one incarnation and is forgotten after a while. */

interface Ballot {
  incarnation: number;
  /** Who voted, and when it was heard last. */
  readonly voters: Map<number, number>;
}

/** The votes that an observer has cast and heard. */
export class Votes {
  readonly #ballots = new Map<number, Ballot>();
  readonly #keptMs: number;

  /** `keptMs`: how long a vote counts. */
  constructor(keptMs: number) {
    this.#keptMs = keptMs;
  }

  /** A vote on the incarnation that counts is taken; one on an earlier one is too late. */
  cast(subject: number, incarnation: number, voter: number, nowMs: number): void {
    let ballot = this.#ballots.get(subject);
    if (ballot !== undefined && incarnation < ballot.incarnation) return;
    if (ballot === undefined || incarnation > ballot.incarnation) {
      ballot = { incarnation, voters: new Map() };
      this.#ballots.set(subject, ballot);
    }
    ballot.voters.set(voter, nowMs);
  }

  /** The voter has heard from the subject after all. */
  withdraw(subject: number, voter: number): void {
    this.#ballots.get(subject)?.voters.delete(voter);
  }

  has(subject: number, incarnation: number, voter: number): boolean {
    const ballot = this.#ballots.get(subject);
    return ballot?.incarnation === incarnation && ballot.voters.has(voter);
  }

  /** Different voters on this incarnation whose votes count. */
  count(subject: number, incarnation: number, nowMs: number): number {
    const ballot = this.#ballots.get(subject);
    if (ballot?.incarnation !== incarnation) return 0;
    let count = 0;
    for (const atMs of ballot.voters.values()) if (nowMs - atMs <= this.#keptMs) count++;
    return count;
  }

  /** The subject is observed no more. */
  forget(subject: number): void {
    this.#ballots.delete(subject);
  }
}
