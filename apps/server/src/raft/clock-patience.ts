import { type Clock, delay } from '@shanghai/env';

/** Peers answer the question for the time within a round; those of the first release never do. */
const patienceMs = 2_000;
const lookMs = 10;

/**
 * What a leader waits for before its first proposal, if it was just started and has seen no log time since: whether its
 * clock can be believed. Nothing is proposed meanwhile; whoever waits goes on in the order in which they came. Where too few
 * answer in time, which clusters with nodes of the first release do not, the own clock counts.
 */
export class ClockPatience {
  readonly #clock: Clock;
  readonly #isKnown: () => boolean;
  #waiting: Promise<void> | undefined;

  constructor(clock: Clock, isKnown: () => boolean) {
    this.#clock = clock;
    this.#isKnown = isKnown;
  }

  /** Resolves when the clock is known, or nobody waits for that any longer. `undefined`: it is known. */
  untilKnown(): Promise<void> | undefined {
    if (this.#waiting === undefined && this.#isKnown()) return undefined;
    this.#waiting ??= this.#wait().finally(() => {
      this.#waiting = undefined;
    });
    return this.#waiting;
  }

  async #wait(): Promise<void> {
    const endMs = this.#clock.monotonicMs() + patienceMs;
    while (!this.#isKnown() && this.#clock.monotonicMs() < endMs) await delay(this.#clock, lookMs);
  }
}
