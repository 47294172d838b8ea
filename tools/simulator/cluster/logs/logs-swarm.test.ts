import { expect, test } from 'vitest';
import { firstSeed, isDeep, patience, runAll, seedsOf, swarmFaults, type Wanted } from '../swarm.js';

test(
  `positions of consumers and the last values of keys stay what was acknowledged, seeds from ${firstSeed + 400} on`,
  patience,
  async () => {
    const wanted = Array.from({ length: seedsOf({ quick: 1, deep: 40 }) }, (_, i): Wanted => {
      // The first without the faults that keep most of it from happening.
      const faults = i === 0 ? (['crash', 'partition', 'transfer'] as const) : swarmFaults(i);
      return { subject: 'cluster', seed: firstSeed + 400 + i, nodes: 3, minutes: isDeep ? 2 : 0.4, faults, logs: true };
    });
    const counts = await runAll(wanted);
    for (const what of ['positions committed', 'seeks', 'latest passes', 'latest pages with gaps']) {
      expect(counts.get(what), what).toBeGreaterThan(0);
    }
  },
);
