import type { LatencySummary } from '../../report.js';

/** What one benchmark of `db_bench` said. */
export interface DbBenchResult {
  readonly name: string;
  readonly operations: number;
  readonly elapsedMs: number;
  /** With `--histogram=1`. Buckets grow by a half, so a percentile is an estimate. `p90Ms` is its P75 to P99, linear. */
  readonly latency?: LatencySummary;
}

/** Everything that can be read from the standard output of one run. */
export interface DbBenchOutput {
  readonly version: string;
  readonly results: readonly DbBenchResult[];
  /** Built with assertions, which costs speed: Debian's is. */
  readonly hasAssertions: boolean;
  /** Gigabytes written by flushes and compactions, and into its log; from `stats`. */
  readonly writtenGigabytes?: number;
}

const resultLine =
  /^(\w+)\s*:\s+([\d.]+) micros\/op (\d+) ops\/sec ([\d.]+) seconds (\d+) operations;(?:.*\((\d+) of (\d+) found\))?/;

/**
 * Reads the text of RocksDB's `db_bench` (7.x, 8.x). Lines it does not know are passed over. A read benchmark that did
 * not find every key is an error: it would measure misses. Throws `Error` where there is no result at all.
 */
export function parseDbBench(text: string): DbBenchOutput {
  const results: DbBenchResult[] = [];
  const lines = text.split(/[\r\n]+/);
  for (const [at, line] of lines.entries()) {
    const [, name, , , seconds, operations, found, asked] = resultLine.exec(line) ?? [];
    if (name === undefined) continue;
    if (found !== asked) throw new Error(`db_bench ${name} found ${found} keys of ${asked}`);
    const latency = parseHistogram(lines.slice(at + 1, at + 5));
    results.push({
      name,
      operations: Number(operations),
      elapsedMs: Number(seconds) * 1_000,
      ...(latency && { latency }),
    });
  }
  if (results.length === 0) throw new Error(`db_bench gave no result; its output ended with: ${text.slice(-200)}`);
  const compactions = lastNumber(text, /^Cumulative compaction: ([\d.]+) GB write/gm);
  const log = lastNumber(text, /^Cumulative WAL: .* written: ([\d.]+) GB/gm);
  return {
    version: /RocksDB:\s+version ([\d.]+)/.exec(text)?.[1] ?? 'unknown',
    results,
    hasAssertions: text.includes('Assertions are enabled'),
    ...(compactions === undefined || log === undefined ? {} : { writtenGigabytes: compactions + log }),
  };
}

function parseHistogram(lines: readonly string[]): LatencySummary | undefined {
  const text = lines.join('\n');
  const samples = /^Count: (\d+)/m.exec(text)?.[1];
  const maxUs = /^Min: \d+ .*Max: (\d+)/m.exec(text)?.[1];
  const percentiles = /^Percentiles: P50: ([\d.]+) P75: ([\d.]+) P99: ([\d.]+) P99\.9: ([\d.]+)/m.exec(text);
  if (samples === undefined || maxUs === undefined || percentiles === null) return undefined;
  const [p50, p75, p99, p999] = percentiles.slice(1).map((us) => Number(us) / 1_000) as [
    number,
    number,
    number,
    number,
  ];
  const p90Ms = p75 + ((p99 - p75) * (90 - 75)) / (99 - 75);
  return { p50Ms: p50, p90Ms, p99Ms: p99, p999Ms: p999, maxMs: Number(maxUs) / 1_000, samples: Number(samples) };
}

function lastNumber(text: string, pattern: RegExp): number | undefined {
  const found = [...text.matchAll(pattern)].at(-1)?.[1];
  return found === undefined ? undefined : Number(found);
}
