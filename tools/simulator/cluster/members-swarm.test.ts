import { expect, test } from 'vitest';
import type { FaultKind } from './faults.js';
import { firstSeed, isDeep, patience, runAll, seedsOf, type Wanted } from './swarm.js';

test(
  `nodes that join, leave and are replaced under load and faults lose nothing, seeds from ${firstSeed + 200} on`,
  patience,
  async () => {
    const faults: readonly FaultKind[] = ['configuration', 'configuration', 'crash', 'partition', 'snapshot'];
    const wanted = Array.from({ length: seedsOf({ quick: 1, deep: 30 }) }, (_, i): Wanted => {
      return { subject: 'cluster', seed: firstSeed + 200 + i, nodes: 3, minutes: isDeep ? 2 : 0.5, faults };
    });
    const counts = await runAll(wanted);
    for (const what of ['joins', 'leaves', 'exits']) expect(counts.get(what), what).toBeGreaterThan(0);
  },
);
