/** Simulations of hosts and of whole clusters, one seed after the other, as the tests run them. */
import { expect } from 'vitest';
import { type FaultKind, faultKinds } from './faults.js';
import { HostCluster } from './host-cluster.js';
import { type ClusterSimulationResult, runClusterSimulation, type Simulated } from './run-cluster-simulation.js';
import { ServerCluster, sparesFor } from './server-cluster.js';
import type { VirtualWorld } from './virtual-world.js';

/** What is simulated: consensus hosts alone, or servers with everything above them. */
export type Subject = 'hosts' | 'cluster';

/** One simulation. */
export interface Wanted {
  readonly subject: Subject;
  readonly seed: number;
  readonly nodes: number;
  /** Virtual minutes. */
  readonly minutes: number;
  /** Default: all kinds. */
  readonly faults?: readonly FaultKind[];
  /** Operations a virtual second; default 20. */
  readonly operations?: number;
  /** Of hosts; default 2. */
  readonly groups?: number;
  /** Of the cluster: consumers of a log and a log that is compacted, too. */
  readonly logs?: boolean;
  /** Of the cluster: a log that every node writes by itself, too. */
  readonly multiMaster?: boolean;
}

/** The long form of the tests, `pnpm deep simulator`. */
export const isDeep = process.env['SHANGHAI_DEEP'] === '1';

/** The first seed of a row of them: `SHANGHAI_SEED`, or 1. */
export const firstSeed = Number(process.env['SHANGHAI_SEED'] ?? 1);

/** Virtual time is real work: on a busy machine it takes its time. */
export const patience = { timeout: isDeep ? 3_600_000 : 120_000 };

/**
 * How many seeds a row has: `quick` of them by default, `deep` in the long form, which two processors end within half an
 * hour together with everything beside it. `SHANGHAI_SEEDS=300` asks for another number in the long form.
 */
export function seedsOf({ quick, deep }: { readonly quick: number; readonly deep: number }): number {
  return isDeep ? Number(process.env['SHANGHAI_SEEDS'] ?? deep) : quick;
}

/** All kinds of faults, or about half of them: what many together keep from happening, few may find. */
export function swarmFaults(i: number): readonly FaultKind[] {
  if (i % 2 === 0) return faultKinds;
  return faultKinds.filter((_, place) => (Math.imul(i + 1, 0x9e37_79b1) >>> place) & 1);
}

/** Runs one simulation; `more` replaces what it is made of. */
export function run(
  wanted: Wanted,
  more: Partial<Parameters<typeof runClusterSimulation>[0]> = {},
): Promise<ClusterSimulationResult> {
  const {
    subject,
    seed,
    nodes,
    minutes,
    faults = faultKinds,
    operations = 20,
    groups = 2,
    logs = false,
    multiMaster = false,
  } = wanted;
  const make = (world: VirtualWorld): Simulated =>
    subject === 'hosts'
      ? new HostCluster(world, { nodes, groups, operationsPerSecond: operations })
      : new ServerCluster(world, {
          nodes,
          operationsPerSecond: operations,
          spares: sparesFor(faults),
          logs,
          multiMaster,
        });
  return runClusterSimulation({ seed, minutes, faults, make, ...more });
}

/** The command that repeats it and tells what happens. */
export function command({
  subject,
  seed,
  nodes,
  minutes,
  faults = faultKinds,
  logs = false,
  multiMaster = false,
}: Wanted): string {
  const more = `${logs ? ' --logs' : ''}${multiMaster ? ' --multi-master' : ''}`;
  return `pnpm sim ${subject} --seed ${seed} --nodes ${nodes} --minutes ${minutes} --faults ${faults.join(',')}${more} --trace`;
}

/**
 * Runs them all, also those behind one that found something, and fails with every command that did.
 * @returns how often each thing happened, in all of them together.
 */
export async function runAll(wanted: readonly Wanted[]): Promise<ReadonlyMap<string, number>> {
  const sum = new Map<string, number>();
  const found: string[] = [];
  for (const one of wanted) {
    const { violation, acknowledged, counts } = await run(one);
    if (violation !== undefined) found.push(`${command(one)}\n  ${violation}`);
    else if (acknowledged === 0) found.push(`${command(one)}\n  nothing was acknowledged`);
    for (const [what, count] of counts) sum.set(what, (sum.get(what) ?? 0) + count);
  }
  expect(found.join('\n')).toBe('');
  return sum;
}

/** A row of seeds with the faults of a swarm, of 3, 5, 3 and 1 nodes in turn. */
export function swarmOf(subject: Subject, seeds: number): readonly Wanted[] {
  return Array.from({ length: seeds }, (_, i): Wanted => {
    const nodes = [3, 5, 3, 1][i % 4] as number;
    return { subject, seed: firstSeed + i, nodes, minutes: isDeep ? 2 : 0.5, faults: swarmFaults(i) };
  });
}
