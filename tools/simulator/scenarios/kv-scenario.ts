/** Scenarios as tests: what is claimed of every one of them, whatever happens in it. */
import { expect, test } from 'vitest';
import { type KvLoadOptions, type KvLoadResult, runKvLoad } from './kv-load.js';

/** One scenario for `loadScenarios`: its claim, and what happens in it. */
export type LoadScenario = readonly [claim: string, options: Omit<KvLoadOptions, 'seed' | 'onTrace' | 'roundMs'>];

const isDeep = process.env['SHANGHAI_DEEP'] === '1';
const firstSeed = Number(process.env['SHANGHAI_SEED'] ?? 1);
const isTraced = process.env['SHANGHAI_TRACE'] === '1';

/** Virtual time is real work: on a busy machine it takes its time. */
const patience = { timeout: isDeep ? 3_600_000 : 240_000 };
/** So many times what it is cut at may a log be long. */
const cutFactor = 8;
const rounds = 3;
const roundMs = isDeep ? 5000 : 2000;
/** Of each client: one in each round, whatever happens in it. */
const leastRequests = rounds;

/** A scenario with each seed in turn: one by default, more by `SHANGHAI_DEEP=1`, from `SHANGHAI_SEED` on; `SHANGHAI_TRACE=1` tells what happens. */
export function scenario(claim: string, run: (cluster: SeededOptions) => Promise<void>): void {
  test(`KV scenario: ${claim}`, patience, async () => {
    for (let seed = firstSeed; seed < firstSeed + (isDeep ? 20 : 1); seed++) {
      const onTrace = isTraced ? (line: string) => console.log(line) : undefined;
      await run({ seed, onTrace }).catch((error: Error) => {
        throw new Error(`SHANGHAI_SEED=${seed}: ${error.message}`, { cause: error });
      });
    }
  });
}

/** What a scenario's cluster is made with, beside its own options. */
export interface SeededOptions {
  readonly seed: number;
  readonly onTrace: ((line: string) => void) | undefined;
}

/** A scenario of clients at work. */
export function loadScenario([claim, options]: LoadScenario): void {
  scenario(claim, async (seeded) => {
    const result = await runKvLoad({ ...options, ...seeded, roundMs });
    expectUsed(result, options);
    expectFaults(result, options);
    expectLogs(result, options);
  });
}

/** Everybody got somewhere, everything they did was checked, and all copies of both groups are the same. */
function expectUsed({ cluster, requests, checked, copies }: KvLoadResult, { clients, nodes }: LoadScenario[1]): void {
  expect(requests).toHaveLength(clients);
  for (const count of requests) expect(count).toBeGreaterThanOrEqual(leastRequests);
  expect(checked).toBeGreaterThanOrEqual(requests.reduce((sum, count) => sum + count, 0));
  expect(copies).toBe(2 * nodes);
  // One for each group; more where leaders were lost.
  expect(cluster.count('elections')).toBeGreaterThanOrEqual(2);
}

/** What was to go wrong did. */
function expectFaults({ cluster }: KvLoadResult, options: LoadScenario[1]): void {
  const { isUnreliable = false, hasPartitions = false, hasRestarts = false } = options;
  const { counts } = cluster.network;
  if (isUnreliable) expect(Math.min(counts.lost, counts.doubled)).toBeGreaterThan(100);
  else if (!hasPartitions && !hasRestarts) expect(counts.lost).toBe(0);
  expect(cluster.count('partitions')).toBeGreaterThanOrEqual(hasPartitions ? 2 * rounds : 0);
  if (hasRestarts || hasPartitions) expect(cluster.count('elections')).toBeGreaterThan(2);
  for (const { crashes } of cluster.machines) expect(crashes).toBe(hasRestarts ? rounds : 0);
}

/** Logs are bounded by what they are cut at, whatever was written; without that they are kept whole. */
function expectLogs({ cluster, logBytes }: KvLoadResult, { cutBytes }: LoadScenario[1]): void {
  if (cutBytes === undefined) {
    expect(cluster.count('compactions')).toBe(0);
    expect(logBytes).toEqual([...logBytes].sort((a, b) => a - b));
    expect(logBytes[0]).toBeGreaterThan(0);
    return;
  }
  expect(cluster.count('compactions')).toBeGreaterThan(cluster.nodeIds.length);
  for (const bytes of logBytes) expect(bytes).toBeLessThanOrEqual(cutFactor * cutBytes);
}
