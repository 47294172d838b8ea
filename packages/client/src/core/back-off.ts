/** How attempts are spaced. */
export interface BackOffOptions {
  /** Upper bound of the first delay in milliseconds, ≥ 0; each next bound is twice the last. */
  readonly firstDelayMs: number;
  /** No bound grows beyond this, in milliseconds. */
  readonly maxDelayMs: number;
}

/**
 * How long to wait after `failures` (≥ 1) failed attempts, in milliseconds: uniform in [0, bound), with a bound that
 * doubles. `fraction` is a random number in [0, 1). Full jitter spreads the callers of a server that came back best
 * (Brooker, "Exponential Backoff and Jitter", 2015).
 */
export function backOffDelayMs(failures: number, options: BackOffOptions, fraction: number): number {
  const bound = Math.min(options.maxDelayMs, options.firstDelayMs * 2 ** Math.min(failures - 1, 30));
  return bound * fraction;
}
