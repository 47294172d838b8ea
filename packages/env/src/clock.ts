/** The clock port. Nothing outside `env` and the apps reads a clock or sets a timer in any other way. */
export interface Clock {
  /** Wall time in milliseconds since 1970, an integer. May jump in either direction. */
  nowMs(): number;
  /** Milliseconds since some fixed moment, with fractions; never falls. */
  monotonicMs(): number;
  /** Calls `callback` once, no earlier than `delayMs` (≥ 0) from now. Does not keep the process alive unless told to. */
  setTimer(delayMs: number, callback: () => void, options?: TimerOptions): Timer;
  /**
   * Calls `callback` once, after what has arrived by now was dealt with and before anything new is waited for: what one
   * turn brings can be answered together. Never before this has returned.
   */
  soon(callback: () => void): void;
}

/** How a timer waits. */
export interface TimerOptions {
  /** Default false. True for a timer that somebody awaits: a process with nothing else to do would end before it. */
  readonly keepsProcess?: boolean;
}

/** A pending call. `cancel` is idempotent and has no effect once the call was made. */
export interface Timer {
  cancel(): void;
}

/**
 * Resolves after `delayMs`, or rejects with the signal's reason as soon as it aborts. `options` as for `setTimer`: by
 * default a process with nothing else to do ends meanwhile.
 */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal, options?: TimerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const onTime = () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    };
    const timer = clock.setTimer(delayMs, onTime, options);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
