import { expect, test } from 'vitest';
import { runReplicationSimulation } from './run-replication-simulation.js';

const isDeep = process.env['SHANGHAI_DEEP'] === '1';
const firstSeed = Number(process.env['SHANGHAI_SEED'] ?? 1);
const seeds = isDeep ? 600 : 10;

test(`seeds from ${firstSeed} on: copies end equal, nothing was told that is not so, and everything has happened`, async () => {
  const sum = new Map<string, number>();
  for (let i = 0; i < seeds; i++) {
    const options = { seed: firstSeed + i, nodes: 2 + (i % 4), seconds: 12 };
    const { violation, counts } = await runReplicationSimulation(options);
    expect(violation, JSON.stringify(options)).toBeUndefined();
    for (const [what, times] of counts) sum.set(what, (sum.get(what) ?? 0) + times);
  }
  for (const what of ['blocked', 'relayed', 'recovered', 'skipped', 'put back', 'wiped', 'caughtUp', 'held by all']) {
    expect(sum.get(what) ?? 0, what).toBeGreaterThan(0);
  }
}, 1_200_000);
