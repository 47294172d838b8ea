/** How long something took lately, in milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** So many of the latest are remembered … */
const capacity = 4_096;
/** … and for so long. */
const windowMs = 5 * 60_000;

/** The latest durations of something. Adding one costs two stores. */
export class RecentLatencies {
  readonly #durationsMs = new Float64Array(capacity);
  readonly #atMs = new Float64Array(capacity);
  #count = 0;

  /** `atMs` is monotonic. */
  add(durationMs: number, atMs: number): void {
    const at = this.#count++ % capacity;
    this.#durationsMs[at] = durationMs;
    this.#atMs[at] = atMs;
  }

  /** Of the last five minutes, by the nearest rank; zeros where there are none. */
  summary(nowMs: number): LatencySummary {
    const kept = Math.min(this.#count, capacity);
    const recent = this.#durationsMs.slice(0, kept).filter((_, i) => nowMs - (this.#atMs[i] as number) <= windowMs);
    recent.sort();
    const rank = (share: number) => recent[Math.max(0, Math.ceil(share * recent.length) - 1)] ?? 0;
    return { count: recent.length, p50Ms: rank(0.5), p99Ms: rank(0.99), maxMs: rank(1) };
  }
}
