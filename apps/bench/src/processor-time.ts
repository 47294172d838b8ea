import type { Measurement } from './report.js';

/**
 * Adds what the operations of a measurement cost this process in processor time, all threads, warm-up included. On a
 * machine that others use too, this moves less than rates do.
 */
export async function withProcessorTime(run: () => Promise<Measurement>): Promise<Measurement> {
  const before = process.cpuUsage();
  const startMs = performance.now();
  const measured = await run();
  const { user, system } = process.cpuUsage(before);
  const elapsedMs = performance.now() - startMs;
  // The share of the processor, times what one operation took: operations of the warm-up are not counted.
  const cpuUsEach = ((user + system) / elapsedMs) * (measured.elapsedMs / Math.max(1, measured.operations));
  return { ...measured, details: { ...measured.details, cpuUsEach } };
}
