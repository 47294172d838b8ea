import { type Clock, delay } from '@shanghai/env';

/** What may go at once after a pause, in ms of the rate. */
const burstMs = 50;

/** Bytes a second that several senders share, first come, first served. */
export class ByteRate {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  /** Up to when, by the clock, the rate is used up. */
  #usedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerMs = bytesPerSecond / 1_000;
  }

  /** Resolves when so many bytes may go; rejects with the signal's reason. */
  take(bytes: number, signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    this.#usedUntilMs = Math.max(this.#usedUntilMs, nowMs - burstMs) + bytes / this.#bytesPerMs;
    const waitMs = this.#usedUntilMs - nowMs;
    return waitMs <= 0 ? Promise.resolve() : delay(this.#clock, waitMs, signal);
  }
}
