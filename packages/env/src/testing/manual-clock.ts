import type { Clock, Timer } from '../clock.js';
import { invariant } from '../invariant.js';
import { drainMicrotasks } from '../node/drain-microtasks.js';

/** A clock that stands until it is told to go on. */
export interface ManualClock extends Clock {
  /**
   * Lets `ms` pass: fires the timers due, in order of time and then of making, those made meanwhile too. Before each,
   * and at the end, everything that can run without time does. One call at a time.
   */
  advance(ms: number): Promise<void>;
  /** Timers waiting. */
  readonly pending: number;
  /** Sets wall time, as an operator or a time service would. Timers and monotonic time do not notice. */
  setWall(ms: number): void;
}

/** A manual clock; wall time starts at `startMs` (default 2024-01-01), monotonic time at 0. */
export function createManualClock(startMs = 1_704_067_200_000): ManualClock {
  return new SteppedClock(startMs);
}

interface PendingTimer {
  readonly dueMs: number;
  readonly callback: () => void;
}

class SteppedClock implements ManualClock {
  #wallOffsetMs: number;
  #monotonicMs = 0;
  #advancing = false;
  /** In order of due time, then of making. */
  readonly #timers: PendingTimer[] = [];

  constructor(startMs: number) {
    this.#wallOffsetMs = startMs;
  }

  get pending(): number {
    return this.#timers.length;
  }

  nowMs(): number {
    return Math.floor(this.#wallOffsetMs + this.#monotonicMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  setWall(ms: number): void {
    this.#wallOffsetMs = ms - this.#monotonicMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (!(delayMs >= 0)) throw new RangeError(`delayMs must be at least 0, got ${delayMs}`);
    const timer = { dueMs: this.#monotonicMs + delayMs, callback };
    let at = this.#timers.length;
    while (at > 0 && (this.#timers[at - 1] as PendingTimer).dueMs > timer.dueMs) at--;
    this.#timers.splice(at, 0, timer);
    const cancel = () => {
      const index = this.#timers.indexOf(timer);
      if (index >= 0) this.#timers.splice(index, 1);
    };
    return { cancel };
  }

  /** Together with the microtasks that wait: no time passes. */
  soon(callback: () => void): void {
    queueMicrotask(callback);
  }

  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`ms must be at least 0, got ${ms}`);
    invariant(!this.#advancing, 'advance was called while an earlier call is running; await it first');
    this.#advancing = true;
    try {
      await this.#advanceTo(this.#monotonicMs + ms);
    } finally {
      this.#advancing = false;
    }
  }

  async #advanceTo(targetMs: number): Promise<void> {
    await drainMicrotasks();
    for (let next = this.#timers[0]; next !== undefined && next.dueMs <= targetMs; next = this.#timers[0]) {
      this.#timers.shift();
      this.#monotonicMs = Math.max(this.#monotonicMs, next.dueMs);
      next.callback();
      await drainMicrotasks();
    }
    this.#monotonicMs = targetMs;
  }
}
