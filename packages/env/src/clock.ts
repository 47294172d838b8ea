/** The clock port. Nothing outside `env` and the apps reads a clock or sets a timer in any other way. */
export interface Clock {
  /** Wall time in milliseconds since 1970, an integer. May jump in either direction. */
  nowMs(): number;
  /** Milliseconds since some fixed moment, with fractions; never falls. */
  monotonicMs(): number;
  /** Calls `callback` once, no earlier than `delayMs` (≥ 0) from now. Does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
}

/** A pending call. `cancel` is idempotent and has no effect once the call was made. */
export interface Timer {
  cancel(): void;
}

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as it aborts. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
