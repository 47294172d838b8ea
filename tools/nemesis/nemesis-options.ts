import { parseArgs } from 'node:util';
import { type FaultKind, faultKinds } from './schedule.js';

/** How nodes are put apart. */
export type NetworkKind = 'auto' | 'namespaces' | 'proxies';

/** What a run is told. */
export interface NemesisOptions {
  readonly nodes: number;
  readonly seconds: number;
  readonly faults: readonly FaultKind[];
  readonly seed: number;
  /** Of each of the three kinds. */
  readonly clients: number;
  readonly meanPauseMs: number;
  readonly network: NetworkKind;
  readonly tickMs: number;
  readonly electionTicks: number;
  /** Where report, pictures, and what the nodes said go. */
  readonly reportDirectory: string | undefined;
  /** Data and what the nodes said are left where they are. */
  readonly keep: boolean;
  /** Answers of one node are replaced by old ones: this must be found. */
  readonly lie: boolean;
  /** A log and a keyspace that every node writes by itself, too. */
  readonly multiMaster: boolean;
}

/** What a command line asks for. */
export type Intention =
  | { readonly type: 'run'; readonly options: NemesisOptions }
  | { readonly type: 'clean' }
  | { readonly type: 'print'; readonly text: string; readonly code: number };

/** Faults of a run that names none. */
const usualFaults = 'kill,pause,partition,disk,clock';

const usage = `usage: pnpm nemesis [options]

Real nodes, real clients, and faults by a seed; then: is everything acknowledged there, is there one order?

  --nodes n          3 to 9; default 5
  --seconds n        of faults; default 60
  --faults list      some of ${faultKinds.join(', ')}, all, or none; default ${usualFaults}
  --seed n           default: by the clock
  --clients n        of each kind (library, HTTP by hand, gRPC by hand); default 3
  --pause-ms n       mean pause of a client between two operations; default 60
  --network kind     namespaces (root, Linux), proxies, or auto: namespaces where they can be had; default auto
  --tick-ms n        of the nodes; default 100
  --election-ticks n of the nodes; default 10
  --report folder    where report.json, report.txt and pictures go; default: beside the data of a run that failed
  --keep             leave data and output of the nodes
  --multi-master     also a log and a keyspace of mode multi-master, written at every node by itself
  --lie              one client's way to its node answers with what was true once: this must find something
  --clean            remove what runs that were killed have left behind, and do nothing else

exit code: 0 nothing was found, 1 something was, 2 wrong usage, or it could not be judged`;

/** Reads a command line. `nowMs` gives the seed of a run that names none. */
export function parseNemesisOptions(args: readonly string[], nowMs: number): Intention {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (error) {
    return { type: 'print', text: `${(error as Error).message}\n\n${usage}`, code: 2 };
  }
  if (values.help) return { type: 'print', text: usage, code: 0 };
  if (values.clean) return { type: 'clean' };
  const problems: string[] = [];
  const whole = (name: string, text: string, least: number, most: number) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      problems.push(`--${name} is a whole number from ${least} to ${most}, not '${text}'`);
    }
    return value;
  };
  const faults = faultsOf(values.faults);
  if (faults === undefined) problems.push(`--faults is a list of ${faultKinds.join(', ')}, not '${values.faults}'`);
  const network = values.network as NetworkKind;
  if (!['auto', 'namespaces', 'proxies'].includes(network)) problems.push(`--network '${network}' is not known`);
  const options: NemesisOptions = {
    nodes: whole('nodes', values.nodes, 3, 9),
    seconds: whole('seconds', values.seconds, 1, 86_400),
    faults: faults ?? [],
    seed: whole('seed', values.seed ?? String(nowMs % 1_000_000_007), 0, 2 ** 32 - 1),
    clients: whole('clients', values.clients, 1, 50),
    meanPauseMs: whole('pause-ms', values['pause-ms'], 1, 60_000),
    network,
    tickMs: whole('tick-ms', values['tick-ms'], 10, 10_000),
    electionTicks: whole('election-ticks', values['election-ticks'], 2, 1000),
    reportDirectory: values.report,
    keep: values.keep,
    lie: values.lie,
    multiMaster: values['multi-master'],
  };
  if (problems.length > 0) return { type: 'print', text: `${problems.join('\n')}\n\n${usage}`, code: 2 };
  return { type: 'run', options };
}

/** The command that does the same run again. */
export function repeatCommand(options: NemesisOptions): string {
  const { nodes, seconds, seed, clients, meanPauseMs, tickMs, electionTicks, faults, network } = options;
  const text = `--nodes ${nodes} --seconds ${seconds} --seed ${seed} --faults ${faults.join(',') || 'none'} --clients ${clients}`;
  const timing = `--pause-ms ${meanPauseMs} --tick-ms ${tickMs} --election-ticks ${electionTicks} --network ${network}`;
  const more = `${options.multiMaster ? ' --multi-master' : ''}${options.lie ? ' --lie' : ''}`;
  return `pnpm nemesis ${text} ${timing}${more}`;
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      nodes: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '60' },
      faults: { type: 'string', default: usualFaults },
      seed: { type: 'string' },
      clients: { type: 'string', default: '3' },
      'pause-ms': { type: 'string', default: '60' },
      network: { type: 'string', default: 'auto' },
      'tick-ms': { type: 'string', default: '100' },
      'election-ticks': { type: 'string', default: '10' },
      report: { type: 'string' },
      keep: { type: 'boolean', default: false },
      lie: { type: 'boolean', default: false },
      'multi-master': { type: 'boolean', default: false },
      clean: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  }).values;
}

function faultsOf(text: string): readonly FaultKind[] | undefined {
  if (text === 'all') return faultKinds;
  if (text === 'none') return [];
  const names = text.split(',');
  const known = faultKinds.filter((kind) => names.includes(kind));
  return known.length === new Set(names).size ? known : undefined;
}
