/**
 * Named logs as users meet them: nodes of their own, load through the TypeScript client from a process of its own, beside
 * JetStream under its own TypeScript client, in the same run. JetStream acknowledges before it syncs, Shanghai after.
 */
import { fileURLToPath } from 'node:url';
import { connect } from '@shanghai/client/grpc';
import type { BenchScope } from '../bench-scope.js';
import { BenchCluster } from '../cluster/bench-cluster.js';
import { Judge } from '../judge.js';
import { onlyOnce } from '../only-once.js';
import type { CaseReport, TargetReport } from '../report.js';
import { runProcess } from '../run-process.js';
import type { BenchCase, Suite } from '../suite.js';
import { valueBytes } from './entry-size.js';
import { hasJetStream, startJetStream } from './jetstream-cluster.js';
import { measureStoppedFollower } from './stopped-follower.js';
import { logCount, measureThousandLogs } from './thousand-logs.js';

const ownProgram = fileURLToPath(new URL('./log-process.js', import.meta.url));
const replicationProgram = fileURLToPath(new URL('./replication-process.js', import.meta.url));
const theirProgram = fileURLToPath(new URL('./jetstream-process.js', import.meta.url));

/** In flight at once. */
const shapes = [64, 256] as const;

const modes = {
  quorum: { mode: 'quorum', what: 'synced on a majority of three' },
  'multi-master': { mode: 'multi-master', what: 'synced on the node of three that took it' },
} as const;

/** Entries of each log before the first case, and of one append. */
const heldBefore = 200_000;
const heldAtOnce = 1_000;

/** A follower is stopped for so many times the length of a case: a minute by default. */
const stoppedTimes = 30;

/** At which its lag is asked for, in entries a second. */
const steadyRate = 50_000;

/** The cases of `bench logs`. */
export async function logsSuite(scope: BenchScope, seconds: number): Promise<Suite> {
  const missing = (await hasJetStream())
    ? {}
    : { skipped: "nats-server is not installed (Debian: 'apt-get install nats-server')" };
  const three = onlyOnce(async () => withLogs(await BenchCluster.start(scope, 'logs', 3)));
  const jetStream = onlyOnce(() => startJetStream(scope, 3));
  const time = String(seconds);
  let replications = 0;
  const replication = (name: string, rate: number, what: string): BenchCase => ({
    name,
    what: `two processes with the replication package, ${valueBytes} B each, synced on both sides: ${what}`,
    unit: 'entries',
    measure: async () =>
      runProcess(scope, replicationProgram, [`${scope.directory}/replication-${++replications}`, time, String(rate)]),
  });
  const tail = (mode: keyof typeof modes): BenchCase => ({
    name: `${mode} tail`,
    what: 'one tail from the beginning on',
    unit: 'entries',
    measure: async () => runProcess(scope, ownProgram, [await three(), mode, 'tail', '1', time]),
  });
  const append = (mode: keyof typeof modes, callers: number): BenchCase => ({
    name: `${mode} append x${callers}`,
    what: `${callers} callers in one process, ${valueBytes} B each, ${modes[mode].what}`,
    unit: 'entries',
    measure: async () => runProcess(scope, ownProgram, [await three(), mode, 'append', String(callers), time]),
  });
  const publish = (callers: number): BenchCase => ({
    name: `jetstream publish x${callers}`,
    what: `${callers} callers in one process, ${valueBytes} B each, on three replicas, not synced`,
    unit: 'entries',
    ...missing,
    measure: async () =>
      runProcess(scope, theirProgram, [(await jetStream()).join(','), 'publish', String(callers), time]),
  });
  return {
    name: 'logs',
    syncMode: 'always; JetStream: every two minutes',
    notes: [
      'All nodes and the load generator share the cores of this machine.',
      'JetStream is the version that the system packages, with its defaults, under its TypeScript client.',
      `Tails and consumers read from the beginning what the cases before them wrote; logs of Shanghai hold ${heldBefore.toLocaleString('en')} entries before.`,
    ],
    cases: [
      ...shapes.flatMap((callers) => [append('quorum', callers), append('multi-master', callers), publish(callers)]),
      tail('quorum'),
      tail('multi-master'),
      {
        name: 'jetstream consume',
        what: 'one consumer from the beginning on',
        unit: 'entries',
        ...missing,
        measure: async () => runProcess(scope, theirProgram, [(await jetStream()).join(','), 'consume', '1', time]),
      },
      {
        name: 'a thousand logs',
        what: `${logCount} logs with 10 entries each; from the start of the process until the node listens again`,
        unit: 'entries',
        isMeasuredOnce: true,
        measure: (round) => measureThousandLogs(scope, round),
      },
      {
        name: 'multi-master append, a follower stopped',
        what: `256 callers, ${valueBytes} B each, one of three nodes killed, for ${stoppedTimes} times as long; memory of the node that takes them`,
        unit: 'entries',
        isMeasuredOnce: true,
        measure: (round) => measureStoppedFollower(scope, ownProgram, stoppedTimes * seconds, round),
      },
      replication('replication', 0, 'as many as go'),
      replication('replication lag', steadyRate, `${steadyRate} a second; latencies are lags`),
    ],
    judge,
    close: async () => {},
  };
}

/** Makes the logs, with something in them for the tails; resolves to the endpoints, separated by commas. */
async function withLogs(cluster: BenchCluster): Promise<string> {
  const client = connect({ endpoints: cluster.endpoints, timeoutMs: 30_000 });
  const records = Array.from({ length: heldAtOnce }, () => new Uint8Array(valueBytes).fill(7));
  for (const [name, { mode }] of Object.entries(modes)) {
    await client.log.create(name, { mode });
    for (let held = 0; held < heldBefore; held += heldAtOnce) await client.log.append(name, records);
  }
  await client.close();
  return cluster.endpoints.join(',');
}

function judge(cases: ReadonlyMap<string, CaseReport>): readonly TargetReport[] {
  const judge = new Judge(cases);
  judge.rate('quorum append x256', { atLeast: 40_000, aimAtLeast: 70_000 });
  judge.rate('multi-master append x256', { atLeast: 150_000 });
  for (const mode of Object.keys(modes)) judge.rate(`${mode} tail`, { atLeast: 300_000, aimAtLeast: 1_000_000 });
  judge.rate('replication', { atLeast: 150_000, aimAtLeast: 400_000 });
  judge.rate('replication lag', { atLeast: 0.98 * steadyRate });
  judge.value('replication lag, p99', judge.case('replication lag')?.latency?.p99Ms, 'ms', {
    atMost: 100,
    aimAtMost: 20,
  });
  judge.value('a thousand logs, what they add to a start', judge.case('a thousand logs')?.details?.['logsMs'], 'ms', {
    atMost: 1_000,
  });
  const stopped = judge.case('multi-master append, a follower stopped')?.details;
  const growth = stopped === undefined ? undefined : (stopped['lastMib'] ?? 0) - (stopped['firstMib'] ?? 0);
  judge.value('memory that a stopped follower costs', growth, 'MiB', { atMost: 64 });
  for (const callers of shapes) judge.ratio(`quorum append x${callers}`, `jetstream publish x${callers}`);
  judge.ratio('quorum tail', 'jetstream consume');
  return judge.targets;
}
