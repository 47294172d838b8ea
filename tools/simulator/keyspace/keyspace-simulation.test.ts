import { expect, test } from 'vitest';
import { runKeyspaceSimulation } from './run-keyspace-simulation.js';

const isDeep = process.env['SHANGHAI_DEEP'] === '1';
const firstSeed = Number(process.env['SHANGHAI_SEED'] ?? 1);
const seeds = isDeep ? 5000 : 160;

test(
  `seeds from ${firstSeed} on: replicas end right and equal, and everything has happened`,
  () => {
    const sum = new Map<string, number>();
    for (let i = 0; i < seeds; i++) {
      const options = { seed: firstSeed + i, nodes: 2 + (i % 4), events: 300 + 100 * (i % 5) };
      const { violation, counts } = runKeyspaceSimulation(options);
      expect(violation, JSON.stringify(options)).toBeUndefined();
      for (const [what, times] of counts) sum.set(what, (sum.get(what) ?? 0) + times);
    }
    for (const what of ['takeover', 'accept', 'drop', 'wipe', 'remove', 'jump', 'trim']) {
      expect(sum.get(what) ?? 0, what).toBeGreaterThan(0);
    }
  },
  isDeep ? 3_600_000 : 120_000,
);
