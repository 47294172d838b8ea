import { expect, test } from 'vitest';
import { firstSeed, patience, runAll, seedsOf, swarmOf } from './swarm.js';

test(
  `hosts: seeds from ${firstSeed} on find nothing, and go through everything that there is to go through`,
  patience,
  async () => {
    const counts = await runAll(swarmOf('hosts', seedsOf({ quick: 2, deep: 100 })));
    for (const what of ['elections', 'reads', 'compactions', 'crashes']) {
      expect(counts.get(what), what).toBeGreaterThan(0);
    }
  },
);
