import { type Clock, delay } from '@shanghai/env';

/** Timers are coarse: shorter debts are paid together. */
const shortestWaitMs = 5;

/** Holds a merge to its share of the disk, and still while it is paused. */
export class MergePace {
  readonly #clock: Clock;
  #bytesPerSecond: number;
  /** Bytes not waited for yet, as of `#atMs`. */
  #owedBytes = 0;
  #atMs = 0;
  #changed = new AbortController();
  #paused: { readonly promise: Promise<void>; readonly open: () => void } | undefined;

  /** `bytesPerSecond` 0 = unlimited. */
  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  get bytesPerSecond(): number {
    return this.#bytesPerSecond;
  }

  /** From now on, for a merge that waits too. 0 = unlimited. */
  set bytesPerSecond(bytesPerSecond: number) {
    this.#settle();
    this.#bytesPerSecond = bytesPerSecond;
    this.#changed.abort();
    this.#changed = new AbortController();
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
    this.#settle();
    this.#owedBytes += bytes;
    for (let waitMs = this.#waitMs(); this.#paused !== undefined || waitMs >= shortestWaitMs; waitMs = this.#waitMs()) {
      if (this.#paused !== undefined) await orAborted(this.#paused.promise, signal);
      else await this.#sleep(waitMs, signal);
      this.#settle();
    }
  }

  #waitMs(): number {
    return this.#bytesPerSecond === 0 ? 0 : (this.#owedBytes * 1_000) / this.#bytesPerSecond;
  }

  /** What time has paid off. */
  #settle(): void {
    const nowMs = this.#clock.monotonicMs();
    const paid = this.#bytesPerSecond === 0 ? this.#owedBytes : ((nowMs - this.#atMs) * this.#bytesPerSecond) / 1_000;
    this.#owedBytes = Math.max(0, this.#owedBytes - paid);
    this.#atMs = nowMs;
  }

  /** Ends early where the rate changes. */
  async #sleep(waitMs: number, signal: AbortSignal): Promise<void> {
    const changed = this.#changed.signal;
    try {
      await delay(this.#clock, waitMs, AbortSignal.any([signal, changed]));
    } catch (error) {
      signal.throwIfAborted();
      if (!changed.aborted) throw error;
    }
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
