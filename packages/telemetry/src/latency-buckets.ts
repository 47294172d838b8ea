/** `count` bounds from `first` on, each twice the one before. */
export function doublingBuckets(first: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, power) => Number((first * 2 ** power).toPrecision(12)));
}

/** 0.1 ms · 2ⁿ in seconds, n in [0, 17]: from a cached read (0.1 ms) to a stalled disk (13 s). */
export const latencyBucketsSeconds: readonly number[] = doublingBuckets(0.0001, 18);

/** 64 B · 4ⁿ in bytes, up to 256 MiB. */
export const sizeBucketsBytes: readonly number[] = Array.from({ length: 12 }, (_, power) => 64 * 4 ** power);
