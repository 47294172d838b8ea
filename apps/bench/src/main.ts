#!/usr/bin/env node
/**
 * `bench wal|bitcask|raft|server|cluster|logs`: measures, prints a report on standard output (a table, or one JSON object with `--json`)
 * and progress on standard error. Exit codes: 0 measured, 1 failed or a bad command line, 3 with `--check` when a
 * target was missed or an operation failed, 3 where a case is slower than in a report it was compared with, 130 interrupted. An interrupt takes everything away again.
 */
import { Command, InvalidArgumentError } from 'commander';
import { BenchScope } from './bench-scope.js';
import { parsePeers, peerNames } from './bitcask/engines/engine-name.js';
import { compareReports } from './compare.js';
import { comparisonText } from './comparison-text.js';
import { readReport } from './read-report.js';
import type { BenchReport, BenchSettings } from './report.js';
import { reportText } from './report-text.js';
import { runSuite, type Suite } from './suite.js';

interface Flags {
  readonly json?: boolean;
  readonly quick?: boolean;
  readonly check?: boolean;
  readonly seconds?: number;
  readonly rounds?: number;
  readonly only?: string;
  readonly directory?: string;
  readonly keys?: number;
  readonly kills?: number;
  readonly peers?: string;
  readonly baseline?: string;
  readonly threshold?: number;
}

type SuiteMaker = (scope: BenchScope, seconds: number, flags: Flags) => Suite | Promise<Suite>;

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Number.MAX_SAFE_INTEGER)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

function whole(text: string): number {
  const value = positive(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('It must be a whole number above 0.');
  return value;
}

function share(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError('It must be a number between 0 and 1.');
  return value;
}

function settingsOf({ quick, seconds, rounds, only }: Flags): BenchSettings {
  return { seconds: seconds ?? (quick ? 0.4 : 2), rounds: rounds ?? (quick ? 1 : 3), only: only ?? '' };
}

async function run(make: SuiteMaker, flags: Flags): Promise<void> {
  const settings = settingsOf(flags);
  // Read first: a wrong path is said before anything is measured.
  const baseline = flags.baseline === undefined ? undefined : await readReport(flags.baseline);
  const scope = await BenchScope.open(flags.directory);
  // However it ends, also by a reader that closed the pipe or a defect: nothing is left behind.
  process.once('exit', () => scope.abandon());
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  try {
    const suite = await make(scope, settings.seconds, flags);
    try {
      const report = await runSuite(suite, settings, scope, (line) => process.stderr.write(`${line}\n`));
      process.stdout.write(flags.json ? `${JSON.stringify(report, undefined, 2)}\n` : reportText(report));
      if (flags.check && !isGood(report)) process.exitCode = 3;
      if (baseline !== undefined) judgeAgainst(baseline, report, flags, process.stderr);
    } finally {
      await suite.close();
    }
  } finally {
    await scope.close();
  }
}

/** `--json` keeps standard output for the report, so `run` says this on standard error. */
function judgeAgainst(before: BenchReport, after: BenchReport, flags: Flags, output: NodeJS.WritableStream): void {
  const comparison = compareReports(before, after, flags.threshold ?? 0.1);
  output.write(comparisonText(comparison));
  if (!comparison.isGood) process.exitCode = 3;
}

function isGood({ targets, cases }: BenchReport): boolean {
  return targets.every(({ holds }) => holds !== false) && cases.every(({ errors }) => errors === 0);
}

function addSuite(program: Command, name: string, description: string, make: SuiteMaker): Command {
  return program
    .command(name)
    .description(description)
    .option('--json', 'one JSON object on standard output and nothing else')
    .option('--seconds <n>', 'length of one measurement (default 2)', positive)
    .option('--rounds <n>', 'how often every case is measured (default 3)', whole)
    .option('--quick', 'one round of 0.4 s: does it run, and roughly how fast')
    .option('--only <texts>', 'only cases whose name holds one of these texts, separated by commas')
    .option('--directory <path>', 'where the temporary directory is made: the disk that is measured')
    .option('--baseline <file>', 'exit code 3 when a case is slower than in this report, which --json wrote')
    .option('--threshold <share>', 'for --baseline: change that counts (default 0.1)', share)
    .option('--check', 'exit code 3 when a target is missed or an operation failed')
    .action((flags: Flags) => run(make, flags));
}

const program = new Command('bench')
  .description('Measures Shanghai on this machine, beside what the disk itself does in the same run.')
  .configureHelp({ showGlobalOptions: true });

addSuite(program, 'wal', 'durable appends to the write-ahead log', async (scope, seconds) =>
  (await import('./wal/wal-suite.js')).walSuite(scope, seconds),
);
addSuite(program, 'bitcask', 'the key-value store: puts, gets, scans, opening, memory', async (scope, seconds, flags) =>
  (await import('./bitcask/bitcask-suite.js')).bitcaskSuite(scope, {
    seconds,
    keys: flags.keys ?? (flags.quick ? 100_000 : 1_000_000),
    peers: parsePeers(flags.peers ?? 'all'),
  }),
)
  .option('--keys <n>', 'keys that are loaded (default 1,000,000)', whole)
  .option('--peers <names>', `measured beside it: all, none, or of ${peerNames.join(', ')} (default all)`);
addSuite(
  program,
  'raft',
  'the core of consensus: three nodes in one thread, without disk or network',
  async (_, seconds) => (await import('./raft/raft-suite.js')).raftSuite(seconds),
);
addSuite(program, 'server', 'a node in a process of its own, under load over the network', async (scope, seconds) =>
  (await import('./server/server-suite.js')).serverSuite(scope, seconds),
);
addSuite(program, 'cluster', 'three nodes on loopback, beside three members of etcd', async (scope, seconds, flags) =>
  (await import('./cluster/cluster-suite.js')).clusterSuite(scope, seconds, flags.kills ?? (flags.quick ? 2 : 20)),
).option('--kills <n>', 'how often the leader is killed (default 20)', whole);
addSuite(program, 'logs', 'named logs of three nodes, beside three servers of JetStream', async (scope, seconds) =>
  (await import('./logs/logs-suite.js')).logsSuite(scope, seconds),
);
program
  .command('compare')
  .description('two reports that --json wrote, case by case; exit code 3 when one is slower')
  .argument('<before>')
  .argument('<after>')
  .option('--threshold <share>', 'change that counts (default 0.1)', share)
  .action(async (before: string, after: string, flags: Flags) =>
    judgeAgainst(await readReport(before), await readReport(after), flags, process.stdout),
  );

await program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
