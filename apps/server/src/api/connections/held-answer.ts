import type { AnswerBudget, SlowReader } from './answer-budget.js';

/** An answer that is being made, and then waits for its reader, counted in the budget of all answers. */
export class HeldAnswer implements SlowReader {
  readonly #budget: AnswerBudget;
  readonly #onCut: () => void;
  #bytes = 0;
  #isCut = false;

  /** `onCut`: there is too much, and this one has waited longest; what it holds is to be let go. */
  constructor(budget: AnswerBudget, onCut: () => void) {
    this.#budget = budget;
    this.#onCut = onCut;
  }

  /** While it is made: so many bytes more. False where there is no room for them, or it had to make room for others. */
  tryGrow(bytes: number): boolean {
    if (this.#isCut || !this.#budget.tryAdd(this, bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  /** It is made, and has so many bytes. */
  settle(bytes: number): void {
    if (this.#isCut) return;
    if (bytes > this.#bytes) this.#budget.add(this, bytes - this.#bytes);
    else this.#budget.taken(this, this.#bytes - bytes);
    this.#bytes = bytes;
  }

  /** Holds nothing any more. Idempotent. */
  release(): void {
    this.#budget.forget(this);
    this.#bytes = 0;
  }

  cutOff(): void {
    this.#isCut = true;
    this.#onCut();
  }
}
