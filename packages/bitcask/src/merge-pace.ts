import { type Clock, delay } from '@shanghai/env';

/** Holds a merge to its share of the disk, and still while it is paused. */
export class MergePace {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  #freeAtMs = 0;
  #paused: { readonly promise: Promise<void>; readonly open: () => void } | undefined;

  /** `bytesPerSecond` 0 = unlimited. */
  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  get paused(): boolean {
    return this.#paused !== undefined;
  }

  pause(): void {
    if (this.#paused !== undefined) return;
    let open = () => {};
    const promise = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#paused = { promise, open };
  }

  resume(): void {
    this.#paused?.open();
    this.#paused = undefined;
  }

  /** Accounts for bytes read or written and waits as long as they cost. Rejects with the signal's reason. */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#paused !== undefined) await orAborted(this.#paused.promise, signal);
    if (this.#bytesPerSecond === 0) return;
    const nowMs = this.#clock.monotonicMs();
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + (bytes * 1_000) / this.#bytesPerSecond;
    const waitMs = this.#freeAtMs - nowMs;
    // Timers are coarse: short debts are paid together.
    if (waitMs >= 5) await delay(this.#clock, waitMs, signal);
  }
}

function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    void promise.then(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
  });
}
