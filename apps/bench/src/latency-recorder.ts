import { build, type Histogram } from 'hdr-histogram-js';
import type { LatencySummary } from './report.js';

const highestUs = 60_000_000;

/**
 * Latencies of one case, kept to three significant digits in a histogram of whole tenths of microseconds, from 0.1 µs
 * to a minute. They are those of a closed loop: a caller that waits sends nothing, so a stall is seen once for each
 * caller and not once for each request that would have come meanwhile (coordinated omission).
 */
export class LatencyRecorder {
  readonly #histogram: Histogram = build({
    bitBucketSize: 32,
    highestTrackableValue: highestUs * 10,
    numberOfSignificantValueDigits: 3,
  });

  record(milliseconds: number): void {
    this.#histogram.recordValue(Math.min(highestUs * 10, Math.max(1, Math.round(milliseconds * 10_000))));
  }

  /** `undefined` where nothing was recorded. */
  summary(): LatencySummary | undefined {
    const histogram = this.#histogram;
    if (histogram.totalCount === 0) return undefined;
    // The histogram answers with the upper end of a bucket, which may lie above the greatest value.
    const at = (percentile: number) =>
      Math.min(histogram.maxValue, histogram.getValueAtPercentile(percentile)) / 10_000;
    return {
      p50Ms: at(50),
      p90Ms: at(90),
      p99Ms: at(99),
      p999Ms: at(99.9),
      maxMs: histogram.maxValue / 10_000,
      samples: histogram.totalCount,
    };
  }
}
