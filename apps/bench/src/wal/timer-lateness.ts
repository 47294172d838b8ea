import { LatencyRecorder } from '../latency-recorder.js';
import type { LatencySummary } from '../report.js';

/** A timer that is set again whenever it fires, and records by how much it was late. */
export class TimerLateness {
  readonly #intervalMs: number;
  readonly #lateness = new LatencyRecorder();
  #timer: NodeJS.Timeout;
  #fired = 0;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
    this.#timer = this.#start();
  }

  stop(): { readonly fired: number; readonly latency: LatencySummary | undefined } {
    clearTimeout(this.#timer);
    return { fired: this.#fired, latency: this.#lateness.summary() };
  }

  #start(): NodeJS.Timeout {
    const dueMs = performance.now() + this.#intervalMs;
    return setTimeout(() => {
      this.#fired++;
      this.#lateness.record(performance.now() - dueMs);
      this.#timer = this.#start();
    }, this.#intervalMs);
  }
}
