import { expect, test } from 'vitest';
import { firstSeed, patience, runAll, seedsOf, swarmOf } from './swarm.js';

test(
  `clusters: seeds from ${firstSeed} on find nothing, and go through everything that there is to go through`,
  patience,
  async () => {
    const counts = await runAll(swarmOf('cluster', seedsOf({ quick: 2, deep: 60 })));
    for (const what of ['writes', 'reads', 'crashes']) expect(counts.get(what), what).toBeGreaterThan(0);
  },
);
