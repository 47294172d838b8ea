import type { Clock } from '@shanghai/env';

/** Timers are coarse: shorter debts are paid together. */
const shortestWaitMs = 5;

/** Holds a merge to its share of the disk, and still while it is paused. */
export class MergePace {
  readonly #clock: Clock;
  #bytesPerSecond: number;
  /** Bytes not waited for yet, as of `#atMs`. */
  #owedBytes = 0;
  #atMs = 0;
  #wake: (() => void) | undefined;
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
    this.#wake?.();
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

  /** Ends early where the rate changes. (Without `AbortSignal.any`: signals made of others stay with those for long.) */
  #sleep(waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        this.#wake = undefined;
      };
      const onAbort = () => {
        end();
        reject(signal.reason);
      };
      const wake = () => {
        end();
        resolve();
      };
      const timer = this.#clock.setTimer(waitMs, wake);
      this.#wake = wake;
      signal.addEventListener('abort', onAbort, { once: true });
    });
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
