import { LatencyRecorder } from './latency-recorder.js';
import type { Measurement } from './report.js';

const warmUpCalls = 1_000;

/**
 * Calls at a fixed rate, whether or not the ones before were answered, until `until` says so (looked at between calls).
 * A latency counts from the moment the call was due, so a loop that was away is seen by every call that fell into that
 * time. The first 1,000 calls are not measured. The loop spins: it needs a processor of its own.
 */
export async function openLoop(
  call: (number: number) => Promise<unknown>,
  perSecond: number,
  until: () => boolean,
): Promise<Measurement> {
  const latencies = new LatencyRecorder();
  const startMs = performance.now();
  let issued = 0;
  let answered = 0;
  let errors = 0;
  const issue = async (number: number) => {
    const dueMs = startMs + (number * 1_000) / perSecond;
    try {
      await call(number);
      answered++;
      if (number >= warmUpCalls) latencies.record(performance.now() - dueMs);
    } catch {
      errors++;
    }
  };
  while (!until()) {
    const due = Math.floor(((performance.now() - startMs) * perSecond) / 1_000);
    while (issued < due) void issue(issued++);
    await new Promise((resolve) => setImmediate(resolve));
  }
  while (answered + errors < issued) await new Promise((resolve) => setImmediate(resolve));
  const latency = latencies.summary();
  return { operations: answered, errors, elapsedMs: performance.now() - startMs, ...(latency && { latency }) };
}
