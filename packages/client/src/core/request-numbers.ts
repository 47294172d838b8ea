import { invariant } from '@shanghai/env';

/**
 * How far request numbers of one session may lie apart. A server remembers the results of the last 1,024 numbers; a
 * number further back can no longer be repeated safely.
 */
export const sessionWindow = 1024;

/**
 * The request numbers of one session: 1, 2, 3 …, handed out only while the oldest one that is not settled stays within
 * the window that the server remembers. So a request that waits for its second attempt is never forgotten because
 * others overtook it.
 */
export class RequestNumbers {
  #next = 1;
  /** Every number below is settled. */
  #oldest = 1;
  /** Settled numbers in (oldest, next). */
  readonly #settled = new Set<number>();
  readonly #window: number;

  /** `window` is an integer ≥ 1. */
  constructor(window: number = sessionWindow) {
    invariant(Number.isInteger(window) && window >= 1, `window of request numbers is ${window}`);
    this.#window = window;
  }

  /** The next number, or `undefined` while the window is full. */
  take(): number | undefined {
    if (this.#next - this.#oldest >= this.#window) return undefined;
    return this.#next++;
  }

  /** The request with this number will not be sent again. Each number once. */
  settle(number: number): void {
    invariant(
      number >= this.#oldest && number < this.#next,
      `request number ${number} was not handed out or is settled`,
    );
    if (number !== this.#oldest) {
      this.#settled.add(number);
      return;
    }
    this.#oldest++;
    while (this.#settled.delete(this.#oldest)) this.#oldest++;
  }

  /** Numbers handed out and not settled. */
  get outstanding(): number {
    return this.#next - this.#oldest - this.#settled.size;
  }
}
