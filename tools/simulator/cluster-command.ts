/**
 * `pnpm sim hosts`: raft hosts on real write-ahead logs. `pnpm sim cluster`: whole nodes with clients. Both on virtual
 * time, with faults; a seed is a whole simulation and can be repeated to the last bit.
 */
import { parseArgs } from 'node:util';
import { type FaultKind, faultKinds } from './cluster/faults.js';
import { HostCluster } from './cluster/host-cluster.js';
import {
  type ClusterSimulationResult,
  runClusterSimulation,
  type Simulated,
} from './cluster/run-cluster-simulation.js';
import { ServerCluster, sparesFor } from './cluster/server-cluster.js';
import type { VirtualWorld } from './cluster/virtual-world.js';

const usage = `usage: pnpm sim hosts|cluster [options]

  --seed n         the first seed; default: by the clock
  --count n        how many seeds, one after the other; default 1
  --nodes n        nodes that are members at the start; default 3
  --minutes n      of virtual time for each seed; default 2
  --operations n   writes and reads a second; default 20
  --groups n       hosts: how many groups; default 2
  --faults list    some of ${faultKinds.join(', ')}; all (default), or none
  --logs           cluster: also consumers of a named log, and a log that is compacted
  --multi-master   cluster: also a log that every node writes by itself
  --trace          print what happens

exit code: 0 nothing was found, 1 a seed found something, 2 wrong usage`;

/** What can be simulated here. */
export const clusterSubjects = ['hosts', 'cluster'] as const;

interface Wanted {
  readonly subject: (typeof clusterSubjects)[number];
  readonly nodes: number;
  readonly groups: number;
  readonly operationsPerSecond: number;
  readonly faults: readonly FaultKind[];
  readonly logs: boolean;
  readonly multiMaster: boolean;
}

/** Runs the command; resolves to its exit code. */
export async function clusterCommand(args: readonly string[]): Promise<number> {
  const parsed = parse(args);
  if (typeof parsed === 'number') return parsed;
  const { wanted, seed, count, minutes, faults, faultsText, trace } = parsed;
  const counts = new Map<string, number>();
  let [events, simulatedMs, failed] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const onTrace = trace ? (line: string) => console.log(line) : undefined;
    const make = (world: VirtualWorld) => simulated(wanted, world);
    const result = await runClusterSimulation({ seed: seed + i, minutes, faults, make, onTrace });
    for (const [what, more] of result.counts) counts.set(what, (counts.get(what) ?? 0) + more);
    events += result.events;
    simulatedMs += result.simulatedMs;
    if (result.violation !== undefined) failed++;
    const { subject, nodes, groups, operationsPerSecond } = wanted;
    const again = `pnpm sim ${subject} --seed ${result.seed} --nodes ${nodes} --groups ${groups} --minutes ${minutes} --operations ${operationsPerSecond} --faults ${faultsText}${wanted.logs ? ' --logs' : ''}${wanted.multiMaster ? ' --multi-master' : ''} --trace`;
    console.log(summary(result, again));
  }
  const { user, system } = process.cpuUsage();
  const processorS = (user + system) / 1e6;
  const simulatedMinutes = simulatedMs / 60_000;
  console.log(
    `${count - failed} ok, ${failed} failed; ${simulatedMinutes.toFixed(1)} simulated minutes in ${processorS.toFixed(1)} s of processor time, ${Math.round(events / processorS)} events/s`,
  );
  console.log(`went through ${[...counts].map(([what, sum]) => `${sum} ${what}`).join(', ')}`);
  return failed === 0 ? 0 : 1;
}

function simulated(
  { subject, nodes, groups, operationsPerSecond, faults, logs, multiMaster }: Wanted,
  world: VirtualWorld,
): Simulated {
  switch (subject) {
    case 'hosts':
      return new HostCluster(world, { nodes, groups, operationsPerSecond });
    case 'cluster':
      return new ServerCluster(world, { nodes, operationsPerSecond, spares: sparesFor(faults), logs, multiMaster });
  }
}

function summary({ seed, violation, acknowledged, events, digest }: ClusterSimulationResult, again: string): string {
  if (violation === undefined) {
    return `seed ${seed}: ok, ${acknowledged} acknowledged, ${events} events, digest ${digest}`;
  }
  return `seed ${seed}: ${violation}\n  again: ${again}`;
}

function parse(args: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      count: { type: 'string', default: '1' },
      nodes: { type: 'string', default: '3' },
      minutes: { type: 'string', default: '2' },
      operations: { type: 'string', default: '20' },
      groups: { type: 'string', default: '2' },
      faults: { type: 'string', default: 'all' },
      logs: { type: 'boolean', default: false },
      'multi-master': { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    allowPositionals: true,
  });
  const subject = clusterSubjects.find((one) => one === positionals[0]);
  const [seed, count, nodes, groups] = [
    Number(values.seed ?? Date.now() % 1_000_000_007),
    Number(values.count),
    Number(values.nodes),
    Number(values.groups),
  ];
  const [minutes, operationsPerSecond] = [Number(values.minutes), Number(values.operations)];
  const faults = faultsOf(values.faults);
  const areNumbers = [seed, count, nodes, groups].every(Number.isSafeInteger) && minutes > 0 && operationsPerSecond > 0;
  if (values.help || subject === undefined || faults === undefined || !areNumbers) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const wanted: Wanted = {
    subject,
    nodes,
    groups,
    operationsPerSecond,
    faults,
    logs: values.logs,
    multiMaster: values['multi-master'],
  };
  return { wanted, seed, count, minutes, faults, faultsText: values.faults, trace: values.trace };
}

function faultsOf(text: string): readonly FaultKind[] | undefined {
  if (text === 'all') return faultKinds;
  if (text === 'none') return [];
  // A kind that is named twice comes twice as often.
  const kinds = text.split(',').map((name) => faultKinds.find((kind) => kind === name));
  return kinds.every((kind) => kind !== undefined) ? kinds : undefined;
}
