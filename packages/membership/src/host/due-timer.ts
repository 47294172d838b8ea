import type { Clock, Timer } from '@shanghai/env';

/** One timer that is set anew when something else is due first. Says how late it was: that is time in which nothing ran. */
export class DueTimer {
  readonly #clock: Clock;
  readonly #onDue: (lateMs: number) => void;
  #timer: Timer | undefined;
  #atMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, onDue: (lateMs: number) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Due at this monotonic time, or at once where that has passed; not at all at infinity. */
  set(dueMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    // What was already late when it was set is not the timer's lateness. One that is due earlier than needed is left.
    const atMs = Math.max(dueMs, nowMs);
    if (this.#timer !== undefined && this.#atMs <= atMs) return;
    this.cancel();
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.#atMs = atMs;
    this.#timer = this.#clock.setTimer(Math.ceil(atMs - nowMs), () => {
      this.#timer = undefined;
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#onDue(Math.max(0, this.#clock.monotonicMs() - atMs));
    });
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#atMs = Number.POSITIVE_INFINITY;
  }
}
