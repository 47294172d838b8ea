import { expect, test } from 'vitest';
import { parseDbBench } from './db-bench-output.js';

/** Recorded from db_bench 7.8.3 (Debian), shortened. */
const filled = `... finished 100 ops\r... finished 200 ops\rSet seed to 1795265840394240 because --seed was 0
Initializing RocksDB Options from command-line flags
Keys:       16 bytes each (+ 0 bytes user-defined timestamp)
Compression: NoCompression
WARNING: Assertions are enabled; benchmarks unnecessarily slow
------------------------------------------------
RocksDB:    version 7.8.3
DB path: [/tmp/db]
filluniquerandom :       4.557 micros/op 219446 ops/sec 4.557 seconds 1000000 operations;   24.3 MB/s
waitforcompaction(/tmp/db): started
waitforcompaction(/tmp/db): finished
** DB Stats **
Cumulative compaction: 0.23 GB write, 44.46 MB/s write, 0.11 GB read, 22.23 MB/s read, 1.7 seconds
Interval compaction: 0.17 GB write, 80.43 MB/s write, 0.11 GB read, 52.26 MB/s read, 1.0 seconds
Cumulative WAL: 10K writes, 0 syncs, 10000.00 writes per sync, written: 0.11 GB, 21.72 MB/s
Interval WAL: 3573 writes, 0 syncs, 3573.00 writes per sync, written: 0.04 GB, 18.25 MB/s
`;

const durable = `DB path: [/tmp/db]
fillrandom   :    1742.379 micros/op 30738 ops/sec 0.416 seconds 12800 operations;    3.4 MB/s
Microseconds per write:
Count: 12800 Average: 2026.0245  StdDev: 7824.93
Min: 137  Median: 1385.4694  Max: 122279
Percentiles: P50: 1385.47 P75: 1777.31 P99: 4466.67 P99.9: 122279.00 P99.99: 122279.00
------------------------------------------------------
(     110,     170 ]        4   0.031%   0.031%
`;

const read = `readrandom   :       4.680 micros/op 213649 ops/sec 1.404 seconds 300000 operations;   23.6 MB/s (300000 of 300000 found)
compact      :  667072.000 micros/op 1 ops/sec 0.667 seconds 1 operations;
readseq      :       0.303 micros/op 3293482 ops/sec 0.091 seconds 300000 operations;  364.3 MB/s
`;

test('a filling run gives its rate, its version and what was written', () => {
  const { version, hasAssertions, results, writtenGigabytes } = parseDbBench(filled);
  expect({ version, hasAssertions }).toEqual({ version: '7.8.3', hasAssertions: true });
  expect(results).toEqual([{ name: 'filluniquerandom', operations: 1_000_000, elapsedMs: 4_557 }]);
  expect(writtenGigabytes).toBeCloseTo(0.34);
});

test('a histogram becomes percentiles in milliseconds', () => {
  const [result] = parseDbBench(durable).results;
  expect(result).toMatchObject({ name: 'fillrandom', operations: 12_800, elapsedMs: 416 });
  expect(result?.latency).toMatchObject({
    p50Ms: 1.38547,
    p99Ms: 4.46667,
    p999Ms: 122.279,
    maxMs: 122.279,
    samples: 12_800,
  });
  expect(result?.latency?.p90Ms).toBeGreaterThan(1.77731);
  expect(result?.latency?.p90Ms).toBeLessThan(4.46667);
});

test('several benchmarks of one run are told apart', () => {
  expect(parseDbBench(read).results.map(({ name, operations }) => [name, operations])).toEqual([
    ['readrandom', 300_000],
    ['compact', 1],
    ['readseq', 300_000],
  ]);
});

test('a run that read keys which are not there, or that said nothing, is an error', () => {
  expect(() => parseDbBench(read.replace('(300000 of', '(126007 of'))).toThrow('found 126007 keys of 300000');
  expect(() => parseDbBench('Unable to parse')).toThrow('gave no result; its output ended with: Unable to parse');
});
