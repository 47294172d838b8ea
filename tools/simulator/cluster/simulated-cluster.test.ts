import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { HostCluster } from './host-cluster.js';
import type { ClusterSimulationResult, Simulated } from './run-cluster-simulation.js';
import { ServerCluster } from './server-cluster.js';
import { command, isDeep, patience, run, type Wanted } from './swarm.js';
import type { VirtualWorld } from './virtual-world.js';

interface KeptSeed extends Wanted {
  /** What it found when it was new. */
  readonly found: string;
  /** It takes long, and a small test says the same: it runs in the deep form only. */
  readonly deep?: boolean;
}

const all = JSON.parse(readFileSync(new URL('kept-seeds.json', import.meta.url), 'utf8')) as readonly KeptSeed[];
const kept = all.filter(({ deep = false }) => isDeep || !deep);

describe('seeds that once found something', patience, () => {
  test.each(kept)('$subject, seed $seed, $nodes nodes: $found', async ({ found: _found, deep: _deep, ...wanted }) => {
    expect((await run(wanted)).violation, command(wanted)).toBeUndefined();
  });
});

describe.each(['hosts', 'cluster'] as const)('%s', patience, (subject) => {
  test('a seed repeats to the last bit, watched or not', async () => {
    const wanted: Wanted = { subject, seed: 11, nodes: 3, minutes: 0.3 };
    const traced = async () => {
      const lines: string[] = [];
      const result = await run(wanted, { onTrace: (line) => lines.push(line) });
      return { lines, result };
    };
    const [first, again] = [await traced(), await traced()];
    expect(again.lines).toEqual(first.lines);
    const plain = ({ counts, ...rest }: ClusterSimulationResult) => ({ ...rest, counts: [...counts] });
    expect(plain(again.result)).toEqual(plain(first.result));
    expect(plain(await run(wanted))).toEqual(plain(first.result));
  });

  test('disks that lose what they said was synced are found out', async () => {
    const found: (string | undefined)[] = [];
    for (let seed = 1; seed <= 3; seed++) {
      const wanted: Wanted = { subject, seed, nodes: 3, minutes: 0.4, faults: ['power', 'partition'] };
      const areLying = (simulated: Simulated) => {
        for (const machine of simulated.machines) machine.disk.isLying = true;
        return simulated;
      };
      const make = (world: VirtualWorld) =>
        areLying(
          subject === 'hosts'
            ? new HostCluster(world, { nodes: 3, groups: 1, operationsPerSecond: 20 })
            : new ServerCluster(world, { nodes: 3, operationsPerSecond: 20 }),
        );
      found.push((await run(wanted, { make })).violation);
    }
    expect(found.filter((violation) => violation !== undefined).length).toBeGreaterThan(1);
  });
});
