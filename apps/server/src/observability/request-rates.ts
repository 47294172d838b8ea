/**
 * Requests per second and latency percentiles of the last ten seconds, for status pages: ten slots of one second, each
 * with counts per latency bucket (0.1 ms · 2ⁿ). A percentile is the upper bound of the bucket in which it falls.
 */
const slotCount = 10;
const slotMs = 1_000;
const bucketCount = 20;
const firstBucketMs = 0.1;

/** What the last seconds were like. */
export interface RequestRateSummary {
  readonly operationsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A sliding window over finished requests. */
export class RequestRates {
  readonly #monotonicMs: () => number;
  readonly #beganMs: number;
  readonly #counts = new Float64Array(slotCount * bucketCount);
  /** Which second each slot holds. */
  readonly #seconds = new Float64Array(slotCount).fill(-1);

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#beganMs = monotonicMs();
  }

  /** Requests ended at `nowMs` (monotonic) after `durationMs`. */
  add(nowMs: number, durationMs: number, requests = 1): void {
    const second = Math.floor(nowMs / slotMs);
    const slot = second % slotCount;
    if (this.#seconds[slot] !== second) {
      this.#counts.fill(0, slot * bucketCount, (slot + 1) * bucketCount);
      this.#seconds[slot] = second;
    }
    let bucket = 0;
    for (let bound = firstBucketMs; durationMs > bound && bucket < bucketCount - 1; bound *= 2) bucket++;
    const index = slot * bucketCount + bucket;
    this.#counts[index] = (this.#counts[index] ?? 0) + requests;
  }

  /** Over the last ten seconds, or since the beginning where that is shorter. */
  summary(): RequestRateSummary {
    const nowMs = this.#monotonicMs();
    const oldest = Math.floor(nowMs / slotMs) - slotCount + 1;
    const counts = new Float64Array(bucketCount);
    let total = 0;
    for (let slot = 0; slot < slotCount; slot++) {
      if ((this.#seconds[slot] ?? -1) < oldest) continue;
      for (let bucket = 0; bucket < bucketCount; bucket++) {
        const count = this.#counts[slot * bucketCount + bucket] ?? 0;
        counts[bucket] = (counts[bucket] ?? 0) + count;
        total += count;
      }
    }
    const spanMs = Math.max(slotMs, Math.min(nowMs - this.#beganMs, slotCount * slotMs));
    const perSecond = Math.round((total / spanMs) * 1_000 * 10) / 10;
    return {
      operationsPerSecond: perSecond,
      p50Ms: percentile(counts, total, 0.5),
      p99Ms: percentile(counts, total, 0.99),
    };
  }
}

function percentile(counts: Float64Array, total: number, share: number): number {
  if (total === 0) return 0;
  let below = 0;
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    below += counts[bucket] ?? 0;
    if (below >= total * share) return Number((firstBucketMs * 2 ** bucket).toPrecision(6));
  }
  return Number((firstBucketMs * 2 ** (bucketCount - 1)).toPrecision(6));
}
