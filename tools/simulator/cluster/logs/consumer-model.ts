/**
 * What may be true of a consumer's position: at least what was acknowledged in its generation, at most what anybody tried
 * to commit in it. A seek of unknown outcome may still come true at any later time; each that does begins one more
 * generation.
 */
import { Violation } from '../../raft/truth.js';

/** Where a consumer is said to be. */
export interface SaidPlace {
  readonly generation: number;
  readonly sequence: number;
}

/** See above. Of one consumer with one owner, who alone seeks. */
export class ConsumerModel {
  readonly #name: string;
  #generation = 0;
  #low = 0;
  #high = 0;
  /** Where seeks of unknown outcome were to go. */
  readonly #pending: number[] = [];
  /** The highest that was tried whatever the generation. */
  #looseHigh = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** The latest that is known for certain; 0: nothing was committed. */
  get generation(): number {
    return this.#generation;
  }

  /** A commit is sent; without `generation` it counts in whichever there is. */
  tries(sequence: number, generation: number): void {
    if (generation === 0) this.#looseHigh = Math.max(this.#looseHigh, sequence);
    if (generation === 0 || generation === this.#generation) this.#high = Math.max(this.#high, sequence);
  }

  /** A commit of `sequence` was acknowledged with a place. */
  committed(sequence: number, said: SaidPlace): void {
    this.sees(said);
    this.#low = Math.max(this.#low, sequence);
    if (said.sequence < sequence) this.#fail(`a commit of ${sequence} left it at ${said.sequence}`);
  }

  /** A seek to `sequence` was acknowledged with a place. */
  sought(sequence: number, said: SaidPlace): void {
    if (said.generation <= this.#generation) this.#fail(`a seek gave generation ${said.generation} again`);
    this.#begin(said.generation, [sequence]);
    if (said.sequence !== sequence) this.#fail(`a seek to ${sequence} gave ${said.sequence}`);
  }

  /** What became of a seek is not known. */
  mayHaveSought(sequence: number): void {
    this.#pending.push(sequence);
  }

  /** Somebody was told where it is. Throws a `Violation` where it cannot be there. */
  sees(said: SaidPlace | undefined): void {
    if (said === undefined) {
      if (this.#generation > 0) this.#fail('it is not known any more');
      return;
    }
    if (said.generation < this.#generation) this.#fail(`generation ${said.generation} comes again`);
    if (said.generation > this.#generation) this.#begin(said.generation, this.#pending);
    const isBetween = said.sequence >= this.#low && said.sequence <= this.#high;
    if (!isBetween) this.#fail(`it is at ${said.sequence}, which is not in ${this.#low} to ${this.#high}`);
  }

  #begin(generation: number, targets: readonly number[]): void {
    // The first commit makes a consumer, in generation 1, without any seek.
    const seeks = generation - Math.max(this.#generation, 1);
    if (seeks > this.#pending.length + targets.length) this.#fail(`generation ${generation} was begun by nobody`);
    const starts = this.#generation === 0 && generation === 1 ? [0] : targets;
    this.#low = Math.min(...starts, ...(this.#generation === 0 ? [0] : []));
    this.#high = Math.max(...starts, this.#looseHigh, this.#generation === 0 ? this.#high : 0);
    this.#generation = generation;
  }

  #fail(what: string): never {
    throw new Violation(`consumer ${this.#name}: ${what}`);
  }
}
