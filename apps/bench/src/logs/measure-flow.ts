import type { Measurement } from '../report.js';

/** Counts what comes, for so long or until it ends; every entry must have bytes. */
export async function measureFlow(entries: AsyncIterable<number>, seconds: number): Promise<Measurement> {
  let operations = 0;
  let errors = 0;
  let startMs = performance.now();
  for await (const bytes of entries) {
    // From the first entry on: finding it is not the flow.
    if (operations === 0) startMs = performance.now();
    operations++;
    if (bytes === 0) errors++;
    if (operations % 1_024 === 0 && performance.now() - startMs >= seconds * 1_000) break;
  }
  return { operations, errors, elapsedMs: performance.now() - startMs };
}
