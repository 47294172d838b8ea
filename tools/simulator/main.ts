/**
 * `pnpm sim raft`: nodes of bare cores on virtual time, with faults. A seed is a whole simulation and can be repeated to
 * the last bit. `pnpm sim hosts` and `pnpm sim cluster` are in `cluster-command.ts`,
 * `pnpm sim membership` is in `membership-command.ts`.
 */
import { parseArgs } from 'node:util';
import { clusterCommand, clusterSubjects } from './cluster-command.js';
import { keyspaceCommand } from './keyspace/keyspace-command.js';
import { membershipCommand } from './membership/membership-command.js';
import { type Exercise, type ExerciseCounts, emptyExercise } from './raft/exercise.js';
import { type FaultKind, faultKinds } from './raft/faults.js';
import { runSimulation } from './raft/run-simulation.js';
import { replicationCommand } from './replication/replication-command.js';

const usage = `usage: pnpm sim raft [options]       bare cores of consensus
       pnpm sim hosts [options]      hosts of many groups on real logs
       pnpm sim cluster [options]    whole nodes with clients
       pnpm sim keyspace [options]   replicas of a keyspace that all write
       pnpm sim membership [options] who is there and alive
       pnpm sim replication [options]  nodes that ship to each other what each writes

options of pnpm sim raft (the others: pnpm sim hosts --help):
  --seed n         the first seed; default: by the clock
  --count n        how many seeds, one after the other; default 1
  --nodes n        voters at the start; default 3
  --minutes n      of virtual time for each seed; default 10
  --operations n   writes and reads a second; default 5
  --faults list    some of ${faultKinds.join(', ')}; all (default), or none
  --lying-disks    disks lose what they said was synced: this must find something
  --trace          print what happens

exit code: 0 nothing was found, 1 a seed found something, 2 wrong usage`;

function main(): number {
  const { values, positionals } = parseArgs({
    options: {
      seed: { type: 'string' },
      count: { type: 'string', default: '1' },
      nodes: { type: 'string', default: '3' },
      minutes: { type: 'string', default: '10' },
      operations: { type: 'string', default: '5' },
      faults: { type: 'string', default: 'all' },
      'lying-disks': { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    allowPositionals: true,
  });
  if (values.help || positionals.length !== 1 || positionals[0] !== 'raft') {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const [seed, count, nodes] = [
    Number(values.seed ?? Date.now() % 1_000_000_007),
    Number(values.count),
    Number(values.nodes),
  ];
  const [minutes, operationsPerSecond] = [Number(values.minutes), Number(values.operations)];
  const faults = faultsOf(values.faults);
  if (
    faults === undefined ||
    ![seed, count, nodes].every(Number.isSafeInteger) ||
    !(minutes > 0) ||
    !(operationsPerSecond > 0)
  ) {
    console.error(usage);
    return 2;
  }
  const startMs = performance.now();
  const exercise = emptyExercise();
  let events = 0;
  let failed = 0;
  for (let i = 0; i < count; i++) {
    const onTrace = values.trace ? { onTrace: (line: string) => console.log(line) } : {};
    const areDisksLying = values['lying-disks'];
    const options = { seed: seed + i, nodes, minutes, faults, operationsPerSecond, areDisksLying };
    const result = runSimulation({ ...options, ...onTrace });
    add(exercise, result.exercise);
    events += result.events;
    if (result.violation === undefined) {
      console.log(
        `seed ${result.seed}: ok, ${result.acknowledged} acknowledged, log to ${result.appliedIndex}, ${result.events} events, digest ${result.digest}`,
      );
      continue;
    }
    failed++;
    console.log(`seed ${result.seed}: ${result.violation}`);
    console.log(
      `  again: pnpm sim raft --seed ${result.seed} --nodes ${nodes} --minutes ${minutes} --operations ${operationsPerSecond} --faults ${values.faults} --trace`,
    );
  }
  const elapsedS = (performance.now() - startMs) / 1000;
  const simulated = (count * minutes).toFixed(0);
  console.log(
    `${count - failed} ok, ${failed} failed; ${simulated} simulated minutes in ${elapsedS.toFixed(1)} s, ${Math.round(events / elapsedS)} events/s`,
  );
  const counts = Object.entries(exercise).map(([what, count]) => `${count} ${what}`);
  console.log(`went through ${counts.join(', ')}`);
  return failed === 0 ? 0 : 1;
}

function add(sum: ExerciseCounts, more: Exercise): void {
  for (const key of Object.keys(sum) as (keyof Exercise)[]) sum[key] += more[key];
}

function faultsOf(text: string): readonly FaultKind[] | undefined {
  if (text === 'all') return faultKinds;
  if (text === 'none') return [];
  const names = text.split(',');
  const known = faultKinds.filter((kind) => names.includes(kind));
  return known.length === names.length ? known : undefined;
}

const args = process.argv.slice(2);
const isForClusters = clusterSubjects.some((subject) => args.includes(subject));
const isForKeyspaces = args[0] === 'keyspace';
if (isForKeyspaces) process.exitCode = keyspaceCommand(args.slice(1));
else if (args[0] === 'membership') process.exitCode = membershipCommand(args.slice(1));
else if (args[0] === 'replication') process.exitCode = await replicationCommand(args.slice(1));
else process.exitCode = isForClusters ? await clusterCommand(args) : main();
