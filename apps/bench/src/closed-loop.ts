import { LatencyRecorder } from './latency-recorder.js';
import type { Measurement } from './report.js';

/** How a closed loop runs. */
export interface ClosedLoopOptions {
  readonly callers: number;
  readonly seconds: number;
  /** Not measured: compilers, caches and files settle. Default: a fifth of `seconds`. */
  readonly warmUpSeconds?: number;
  /** Operations that one call does. Default 1. */
  readonly operationsPerCall?: number;
}

/**
 * So many callers, each of which waits for its answer before it asks again, for so long. `call` gets a number that is
 * never given twice. A failed call is counted as an error and the loop goes on. With 64 callers or more every 17th
 * latency is recorded, so that the clock does not become the work.
 */
export async function closedLoop(
  call: (number: number) => Promise<unknown>,
  options: ClosedLoopOptions,
): Promise<Measurement> {
  const { callers, seconds, operationsPerCall = 1 } = options;
  const latencies = new LatencyRecorder();
  const sampleEvery = callers >= 64 ? 17 : 1;
  const window = new MeasuringWindow(options.warmUpSeconds ?? seconds / 5, seconds);
  let next = 0;
  let calls = 0;
  let errors = 0;
  const caller = async () => {
    while (window.phase !== 'over') {
      const number = next++;
      const isTimed = number % sampleEvery === 0;
      const isCounted = window.phase === 'measuring';
      const startedMs = isTimed ? window.look() : 0;
      try {
        await call(number);
      } catch {
        if (isCounted) errors++;
        // Calls that fail at once must not keep the loop from everything else.
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      const latencyMs = isTimed ? window.look() - startedMs : undefined;
      if (!isCounted || window.phase !== 'measuring') continue;
      calls++;
      if (latencyMs !== undefined) latencies.record(latencyMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const latency = latencies.summary();
  const operations = calls * operationsPerCall;
  return { operations, errors, elapsedMs: window.measuredMs, ...(latency === undefined ? {} : { latency }) };
}

/**
 * Warm-up, then measuring, then over. Moved on by whoever looks at the clock, not by timers: callers that are answered
 * without waiting for the machine would let no timer run.
 */
class MeasuringWindow {
  phase: 'warm-up' | 'measuring' | 'over' = 'warm-up';
  measuredMs = 0;
  #changeMs: number;
  #startMs: number;
  readonly #lengthMs: number;

  constructor(warmUpSeconds: number, seconds: number) {
    this.#startMs = performance.now();
    this.#changeMs = this.#startMs + warmUpSeconds * 1_000;
    this.#lengthMs = seconds * 1_000;
  }

  /** The time in milliseconds. */
  look(): number {
    const nowMs = performance.now();
    if (nowMs >= this.#changeMs) this.#moveOn(nowMs);
    return nowMs;
  }

  #moveOn(nowMs: number): void {
    if (this.phase === 'warm-up') {
      this.phase = 'measuring';
      this.#startMs = nowMs;
      this.#changeMs = nowMs + this.#lengthMs;
    } else if (this.phase === 'measuring') {
      this.phase = 'over';
      this.measuredMs = nowMs - this.#startMs;
    }
  }
}
