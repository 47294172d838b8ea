import { expect, test } from 'vitest';
import type { FaultKind } from '../faults.js';
import { firstSeed, patience, runAll, seedsOf, type Wanted } from '../swarm.js';

/** All but what changes who is a member. */
const faults: readonly FaultKind[] = [
  ...(['partition', 'loss', 'delay', 'reset', 'pause', 'crash', 'power', 'clock', 'slow', 'stall'] as const),
  ...(['full', 'sync', 'transfer', 'compaction'] as const),
];

/** Found: a node whose own commands were overdue once, because it was stopped for some seconds, shipped nothing any more. */
const kept = 505;

test(`what every node writes is the same on all in the end, once and in order: seed ${kept}, and those from ${firstSeed + 600} on`, {
  timeout: Math.max(patience.timeout, 240_000),
}, async () => {
  const more = Array.from({ length: seedsOf({ quick: 0, deep: 40 }) }, (_, i) => firstSeed + 600 + i);
  const wanted = [kept, ...more].map((seed): Wanted => {
    return { subject: 'cluster', seed, nodes: 3, minutes: 0.6, faults, multiMaster: true };
  });
  const counts = await runAll(wanted);
  for (const what of ['ledger acknowledged', 'ledger unknown', 'crashes']) {
    expect(counts.get(what), what).toBeGreaterThan(0);
  }
});
