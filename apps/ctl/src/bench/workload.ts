/**
 * A closed loop of puts and gets: so many workers, each sending its next request when the last was answered. Latency is
 * that of successful requests; failed ones are counted by their code and excluded from throughput. A get of a key that
 * is not there is a success with nothing in it; the keys are written first where gets are asked for.
 */
import { CodedError, createSeededRandom } from '@shanghai/env';
import { build, type Histogram } from 'hdr-histogram-js';
import type { Connection } from '../connection.js';

/** What to send. */
export interface Workload {
  /** Requests; may be infinite with a duration. */
  readonly operations: number;
  /** May be infinite. */
  readonly durationMs: number;
  readonly concurrency: number;
  /** In [0, 1]. */
  readonly getShare: number;
  readonly keys: number;
  readonly valueBytes: number;
  readonly prefix: string;
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** Percentiles of successful requests in milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** What was measured. */
export interface WorkloadReport {
  readonly concurrency: number;
  readonly valueBytes: number;
  readonly keys: number;
  readonly getShare: number;
  readonly durationMs: number;
  /** Requests answered, successful or not. */
  readonly total: number;
  /** Successful ones. */
  readonly completed: number;
  /** Successful ones a second. */
  readonly perSecond: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly latency: { readonly put: LatencySummary; readonly get: LatencySummary };
}

/** Runs the workload. Rejects only where the keys to read could not be written at all. */
export async function runWorkload(
  connection: Connection,
  workload: Workload,
  onProgress: (done: number) => void,
): Promise<WorkloadReport> {
  const random = createSeededRandom(workload.seed);
  const value = random.bytes(workload.valueBytes);
  if (workload.getShare > 0) await writeKeys(connection, workload, value);
  const put = newHistogram();
  const get = newHistogram();
  const errors: Record<string, number> = {};
  const startedMs = performance.now();
  let begun = 0;
  let done = 0;
  const worker = async () => {
    while (begun < workload.operations && !workload.signal.aborted) {
      if (performance.now() - startedMs >= workload.durationMs) return;
      begun += 1;
      const key = keyOf(workload, random.below(workload.keys));
      const isGet = random.float() < workload.getShare;
      const sentMs = performance.now();
      try {
        await (isGet ? connection.get(key) : connection.put(key, value));
        (isGet ? get : put).recordValue(Math.max(1, Math.round((performance.now() - sentMs) * 1000)));
      } catch (error) {
        const code = error instanceof CodedError ? String(error.code) : 'UNEXPECTED';
        errors[code] = (errors[code] ?? 0) + 1;
      }
      done += 1;
      if (done % 256 === 0) onProgress(done);
    }
  };
  await Promise.all(Array.from({ length: workload.concurrency }, worker));
  const durationMs = performance.now() - startedMs;
  const completed = put.totalCount + get.totalCount;
  const { concurrency, valueBytes, keys, getShare } = workload;
  return {
    ...{ concurrency, valueBytes, keys, getShare },
    durationMs: Math.round(durationMs),
    total: done,
    completed,
    perSecond: Math.round(completed / Math.max(0.001, durationMs / 1000)),
    errors,
    latency: { put: summary(put), get: summary(get) },
  };
}

/** Deletes what the workload wrote. */
export async function removeKeys(connection: Connection, workload: Workload): Promise<void> {
  const prefix = new TextEncoder().encode(workload.prefix);
  let keys: Uint8Array[] = [];
  const flush = async () => {
    if (keys.length > 0)
      await connection.batch(
        keys.map((key) => ({ type: 'delete', key })),
        { atomic: false },
      );
    keys = [];
  };
  for await (const { key } of connection.range({ prefix, keysOnly: true })) {
    keys.push(key);
    if (keys.length >= 500) await flush();
  }
  await flush();
}

async function writeKeys(connection: Connection, workload: Workload, value: Uint8Array): Promise<void> {
  const batchRecords = Math.max(1, Math.min(500, Math.floor((1024 * 1024) / Math.max(1, value.length))));
  for (let start = 0; start < workload.keys && !workload.signal.aborted; start += batchRecords) {
    const length = Math.min(batchRecords, workload.keys - start);
    await connection.batch(
      Array.from({ length }, (_, index) => ({ type: 'put', key: keyOf(workload, start + index), value })),
      { atomic: false },
    );
  }
}

function keyOf(workload: Workload, number: number): Uint8Array {
  return Buffer.from(`${workload.prefix}${number.toString().padStart(10, '0')}`);
}

/** Microseconds from 1 to 10 minutes, three digits exact. */
function newHistogram(): Histogram {
  return build({ lowestDiscernibleValue: 1, highestTrackableValue: 600_000_000, numberOfSignificantValueDigits: 3 });
}

function summary(histogram: Histogram): LatencySummary {
  const at = (percentile: number) => histogram.getValueAtPercentile(percentile) / 1000;
  return {
    count: histogram.totalCount,
    meanMs: histogram.totalCount === 0 ? 0 : histogram.mean / 1000,
    p50Ms: at(50),
    p90Ms: at(90),
    p99Ms: at(99),
    p999Ms: at(99.9),
    maxMs: histogram.maxValue / 1000,
  };
}
