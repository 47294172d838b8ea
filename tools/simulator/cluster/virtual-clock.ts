import type { Clock, Timer } from '@shanghai/env';
import type { EventQueue } from '../event-queue.js';

interface PendingTimer {
  readonly dueMs: number;
  readonly callback: () => void;
  /** Arming again makes earlier armings void. */
  armed: number;
}

/** How a node's clock is off. Kept beyond the process: it is the machine's. */
export interface ClockConditions {
  /** Seconds that it counts in one true second, > 0. */
  rate: number;
  /** What wall time is ahead by, in ms. */
  wallOffsetMs: number;
}

/**
 * The clock of one process on virtual time. It may run fast or slow and its wall time may jump; while the process is
 * paused time goes on and no callback comes, and when it is stopped none comes any more.
 */
export class VirtualClock implements Clock {
  readonly #queue: EventQueue;
  readonly #conditions: ClockConditions;
  readonly #timers = new Set<PendingTimer>();
  /** What became due during a pause, in order. */
  readonly #held: (() => void)[] = [];
  #state: 'runs' | 'paused' | 'stopped' = 'runs';
  /** Own time at a moment of true time; the rate holds from there on. */
  #ownMs: number;
  #trueMs: number;
  #rate: number;

  constructor(queue: EventQueue, conditions: ClockConditions) {
    this.#queue = queue;
    this.#conditions = conditions;
    this.#trueMs = queue.nowMs;
    this.#ownMs = queue.nowMs;
    this.#rate = conditions.rate;
  }

  get isPaused(): boolean {
    return this.#state === 'paused';
  }

  nowMs(): number {
    return Math.floor(startMs + this.#conditions.wallOffsetMs + this.monotonicMs());
  }

  monotonicMs(): number {
    return this.#ownMs + (this.#queue.nowMs - this.#trueMs) * this.#rate;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (!(delayMs >= 0)) throw new RangeError(`delayMs must be at least 0, got ${delayMs}`);
    const timer: PendingTimer = { dueMs: this.monotonicMs() + delayMs, callback, armed: 0 };
    if (this.#state !== 'stopped') {
      this.#timers.add(timer);
      this.#arm(timer);
    }
    return { cancel: () => void this.#timers.delete(timer) };
  }

  soon(callback: () => void): void {
    this.#queue.after(0, () => this.#call(callback));
  }

  /** Takes over a new rate of the conditions. */
  adjust(): void {
    this.#ownMs = this.monotonicMs();
    this.#trueMs = this.#queue.nowMs;
    this.#rate = this.#conditions.rate;
    for (const timer of this.#timers) this.#arm(timer);
  }

  /** From here on nothing is called until `resume`. */
  pause(): void {
    if (this.#state === 'runs') this.#state = 'paused';
  }

  /** What became due meanwhile comes now, one after the other. */
  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'runs';
    for (const callback of this.#held.splice(0)) this.#queue.after(0, () => this.#call(callback));
  }

  /** The process is gone. */
  stop(): void {
    this.#state = 'stopped';
    this.#timers.clear();
    this.#held.length = 0;
  }

  #arm(timer: PendingTimer): void {
    const armed = ++timer.armed;
    const leftMs = timer.dueMs - this.monotonicMs();
    this.#queue.after(leftMs <= 0 ? 0 : Math.max(leastMs, leftMs / this.#rate), () => {
      if (!this.#timers.has(timer) || timer.armed !== armed) return;
      // Fractions of a rate may add up to a little less than was asked for.
      if (timer.dueMs > this.monotonicMs()) this.#arm(timer);
      else
        this.#call(() => {
          if (this.#timers.delete(timer)) timer.callback();
        });
    });
  }

  #call(callback: () => void): void {
    if (this.#state === 'runs') callback();
    else if (this.#state === 'paused') this.#held.push(callback);
  }
}

/** Wall time at the beginning: 2024-01-01. */
const startMs = 1_704_067_200_000;
/** Less cannot be told apart when time is large. */
const leastMs = 1e-6;
