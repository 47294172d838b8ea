import { performance } from 'node:perf_hooks';
import type { Clock, Timer, TimerOptions } from '../clock.js';

/** Node fires longer timers at once. */
const longestTimeoutMs = 0x7fff_ffff;

/** The process's clock. */
export function nodeClock(): Clock {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    setTimer: startTimer,
    soon: (callback) => void setImmediate(callback),
  };
}

function startTimer(delayMs: number, callback: () => void, options?: TimerOptions): Timer {
  if (!(delayMs >= 0)) throw new RangeError(`delayMs must be at least 0, got ${delayMs}`);
  const dueMs = performance.now() + delayMs;
  let handle: NodeJS.Timeout;
  const arm = (leftMs: number) => {
    handle = setTimeout(fire, Math.min(Math.ceil(leftMs), longestTimeoutMs));
    if (options?.keepsProcess !== true) handle.unref();
  };
  // Node rounds to milliseconds and may fire a fraction early; and long delays come in pieces.
  const fire = () => {
    const leftMs = dueMs - performance.now();
    if (leftMs > 0) arm(leftMs);
    else callback();
  };
  arm(delayMs);
  return { cancel: () => clearTimeout(handle) };
}
