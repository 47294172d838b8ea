import type { Clock } from '@shanghai/env';

/** Since when the oldest write waits for the disk, over all groups. Writes mostly end in the order they began. */
export class WaitingWrites {
  readonly #clock: Clock;
  /** When each began, from number `#first` on; `undefined` once it has ended. */
  #began: (number | undefined)[] = [];
  #first = 0;
  /** How many at the front have ended. */
  #ended = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A write goes to the disk. Returns its number. */
  begin(): number {
    this.#began.push(this.#clock.monotonicMs());
    return this.#first + this.#began.length - 1;
  }

  /** It has ended, however. */
  end(number: number): void {
    this.#began[number - this.#first] = undefined;
    while (this.#ended < this.#began.length && this.#began[this.#ended] === undefined) this.#ended++;
    if (this.#ended < this.#began.length && this.#ended < 1024) return;
    this.#began.splice(0, this.#ended);
    this.#first += this.#ended;
    this.#ended = 0;
  }

  /** When the oldest began, in milliseconds of the clock; `undefined` where none waits. */
  sinceMs(): number | undefined {
    return this.#began[this.#ended];
  }
}
