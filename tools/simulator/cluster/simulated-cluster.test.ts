import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type FaultKind, faultKinds } from './faults.js';
import { HostCluster } from './host-cluster.js';
import { type ClusterSimulationResult, runClusterSimulation, type Simulated } from './run-cluster-simulation.js';
import { ServerCluster, sparesFor } from './server-cluster.js';
import type { VirtualWorld } from './virtual-world.js';

type Subject = 'hosts' | 'cluster';

interface Wanted {
  readonly subject: Subject;
  readonly seed: number;
  readonly nodes: number;
  readonly minutes: number;
  /** Default: all kinds. */
  readonly faults?: readonly FaultKind[];
  readonly operations?: number;
  readonly groups?: number;
}

interface KeptSeed extends Wanted {
  /** What it found when it was new. */
  readonly found: string;
  /** It takes long, and a small test says the same: it runs in the deep form only. */
  readonly deep?: boolean;
}

const isDeep = process.env['SHANGHAI_DEEP'] === '1';
const firstSeed = Number(process.env['SHANGHAI_SEED'] ?? 1);
const all = JSON.parse(readFileSync(new URL('kept-seeds.json', import.meta.url), 'utf8')) as readonly KeptSeed[];
const kept = all.filter(({ deep = false }) => isDeep || !deep);

function run(wanted: Wanted, more: Partial<Parameters<typeof runClusterSimulation>[0]> = {}) {
  const { subject, seed, nodes, minutes, faults = faultKinds, operations = 20, groups = 2 } = wanted;
  const make = (world: VirtualWorld): Simulated =>
    subject === 'hosts'
      ? new HostCluster(world, { nodes, groups, operationsPerSecond: operations })
      : new ServerCluster(world, { nodes, operationsPerSecond: operations, spares: sparesFor(faults) });
  return runClusterSimulation({ seed, minutes, faults, make, ...more });
}

/** All kinds of faults, or about half of them: what many together keep from happening, few may find. */
function swarm(i: number): readonly FaultKind[] {
  if (i % 2 === 0) return faultKinds;
  return faultKinds.filter((_, place) => (Math.imul(i + 1, 0x9e37_79b1) >>> place) & 1);
}

function command({ subject, seed, nodes, minutes, faults = faultKinds }: Wanted): string {
  return `pnpm sim ${subject} --seed ${seed} --nodes ${nodes} --minutes ${minutes} --faults ${faults.join(',')} --trace`;
}

async function runAll(wanted: readonly Wanted[]): Promise<ReadonlyMap<string, number>> {
  const sum = new Map<string, number>();
  for (const one of wanted) {
    const { violation, acknowledged, counts } = await run(one);
    expect(violation, command(one)).toBeUndefined();
    expect(acknowledged, command(one)).toBeGreaterThan(0);
    for (const [what, count] of counts) sum.set(what, (sum.get(what) ?? 0) + count);
  }
  return sum;
}

/** Virtual time is real work: on a busy machine it takes its time. */
const patience = { timeout: isDeep ? 3_600_000 : 120_000 };

describe('seeds that once found something', patience, () => {
  test.each(kept)('$subject, seed $seed, $nodes nodes: $found', async ({ found: _found, deep: _deep, ...wanted }) => {
    expect((await run(wanted)).violation, command(wanted)).toBeUndefined();
  });
});

describe.each(['hosts', 'cluster'] as const)('%s', patience, (subject) => {
  test(`seeds from ${firstSeed} on find nothing, and go through everything that there is to go through`, async () => {
    const wanted = Array.from({ length: isDeep ? 300 : 2 }, (_, i): Wanted => {
      return {
        subject,
        seed: firstSeed + i,
        nodes: [3, 5, 3, 1][i % 4] as number,
        minutes: isDeep ? 2 : 0.5,
        faults: swarm(i),
      };
    });
    const counts = await runAll(wanted);
    const must =
      subject === 'hosts' ? ['elections', 'reads', 'compactions', 'crashes'] : ['writes', 'reads', 'crashes'];
    for (const what of must) expect(counts.get(what), what).toBeGreaterThan(0);
  });

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

test('nodes that join, leave and are replaced under load and faults lose nothing', patience, async () => {
  const faults: readonly FaultKind[] = ['configuration', 'configuration', 'crash', 'partition', 'snapshot'];
  const wanted = Array.from({ length: isDeep ? 100 : 1 }, (_, i): Wanted => {
    return { subject: 'cluster', seed: firstSeed + 200 + i, nodes: 3, minutes: isDeep ? 2 : 0.5, faults };
  });
  const counts = await runAll(wanted);
  for (const what of ['joins', 'leaves', 'exits']) expect(counts.get(what), what).toBeGreaterThan(0);
});
