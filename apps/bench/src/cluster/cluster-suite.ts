/**
 * Three nodes on loopback as users run them, beside three members of etcd, in the same run, under the same load from the
 * same generator; then one node beside one member. The peers rest while the other is measured. Streaming cases use the
 * TypeScript client in a process of its own; etcd's API has nothing to set beside them.
 */
import { fileURLToPath } from 'node:url';
import { connect } from '@shanghai/client/grpc';
import { GetRequest, PutRequest } from '@shanghai/proto';
import type { BenchScope } from '../bench-scope.js';
import { Judge } from '../judge.js';
import { onlyOnce } from '../only-once.js';
import type { CaseReport, TargetReport } from '../report.js';
import { runProcess } from '../run-process.js';
import { startBenchServer } from '../server/bench-server.js';
import { hasH2load } from '../server/h2load.js';
import { pipelineKey, pipelineKeys } from '../server/pipeline-key.js';
import { loadShapes, type UnaryLoad, unaryLoad } from '../server/unary-load.js';
import type { BenchCase, Suite } from '../suite.js';
import { BenchCluster } from './bench-cluster.js';
import { type EtcdLeader, hasEtcd, startEtcd } from './etcd-cluster.js';
import { etcdGet, etcdPut } from './etcd-messages.js';
import { measureFailover } from './failover.js';

const key = Buffer.from('bench:unary-key');
const value = Buffer.alloc(100, 7);
const program = fileURLToPath(new URL('../server/pipeline-process.js', import.meta.url));
const idleProgram = fileURLToPath(new URL('./idle-groups-process.js', import.meta.url));
const operations = { put: 'put', get: 'get', batch: 'batch of 100 puts' } as const;
/** Each server has so much load before it is measured for the first time: one that was just started compiles its code. */
const settlingSeconds = 5;
const fastElections = ['--tick-ms', '15', '--election-ticks', '10'];

/** What the cases share. Clusters start when the first case needs them. */
interface Bench {
  readonly scope: BenchScope;
  readonly seconds: number;
  shanghai(): Promise<BenchCluster>;
  etcd(members: number): Promise<EtcdLeader>;
}

/** The cases of `bench cluster`. */
export async function clusterSuite(scope: BenchScope, seconds: number, kills: number): Promise<Suite> {
  const noGenerator = (await hasH2load())
    ? undefined
    : "h2load is not installed (Debian: 'apt-get install nghttp2-client')";
  const noEtcd = (await hasEtcd()) ? undefined : "etcd is not installed (Debian: 'apt-get install etcd-server')";
  const bench: Bench = {
    scope,
    seconds,
    shanghai: onlyOnce(async () => prepared(await BenchCluster.start(scope, 'node', 3))),
    etcd: byCount((members) => startEtcd(scope, members)),
  };
  const alone = onlyOnce(() => startBenchServer(scope));
  const settled = new Set<string>();
  const measured = async (
    who: 'shanghai' | 'etcd',
    server: Parameters<typeof unaryLoad>[1],
    operation: 'put' | 'get',
    inFlight: keyof typeof loadShapes,
  ) => {
    if (!settled.has(server.grpc)) {
      await unaryLoad(scope, server, { ...loadOf(who, 'put'), shape: loadShapes[64], seconds: settlingSeconds });
    }
    settled.add(server.grpc);
    return unaryLoad(scope, server, { ...loadOf(who, operation), shape: loadShapes[inFlight], seconds });
  };
  const skipped = (...reasons: (string | undefined)[]) => {
    const reason = reasons.find((one) => one !== undefined);
    return reason === undefined ? {} : { skipped: reason };
  };
  const unary = (who: 'shanghai' | 'etcd', operation: 'put' | 'get', inFlight: keyof typeof loadShapes): BenchCase => ({
    name: `${who} ${operation} x${inFlight}`,
    what: `${operation === 'put' ? 'unary put of 100 B, synced on a majority' : 'unary linearizable get of 100 B'}, at the leader of three; ${inFlight} in flight`,
    unit: 'calls',
    ...skipped(noGenerator, who === 'etcd' ? noEtcd : undefined),
    measure: async () => {
      const server = who === 'etcd' ? await bench.etcd(3) : await (await bench.shanghai()).leader();
      return measured(who, server, operation, inFlight);
    },
  });
  const single = (who: 'shanghai' | 'etcd'): BenchCase => ({
    name: `${who} alone put x64`,
    what: 'unary put of 100 B on a single node, synced; 64 in flight',
    unit: 'calls',
    ...skipped(noGenerator, who === 'etcd' ? noEtcd : undefined),
    measure: async () => {
      const server = who === 'etcd' ? await bench.etcd(1) : await alone();
      return measured(who, server, 'put', 64);
    },
  });
  const pairs = (operation: 'put' | 'get', shapes: readonly (keyof typeof loadShapes)[]) =>
    shapes.flatMap((inFlight) => [unary('shanghai', operation, inFlight), unary('etcd', operation, inFlight)]);
  return {
    name: 'cluster',
    syncMode: 'always, on a majority of three',
    notes: [
      'All nodes and the load generator share the cores of this machine.',
      'h2load sends one body over and over: every unary case uses one key. Answers are counted by the servers too.',
      `Before its first measurement every server, etcd as well, has ${settlingSeconds} s of puts, 64 in flight: what is measured is one that has run for a while.`,
      'etcd is the version that the system packages, with its defaults.',
    ],
    cases: [
      ...pairs('put', [1, 64, 256]),
      ...pairs('get', [64, 256]),
      piped(bench, 'put', 256),
      piped(bench, 'get', 256),
      piped(bench, 'batch', 16),
      single('shanghai'),
      single('etcd'),
      idleGroups(scope, seconds),
      failover(scope, 'failover', [], kills),
      failover(scope, 'failover at 150-300 ms', fastElections, kills),
    ],
    judge,
    close: async () => {},
  };
}

function loadOf(
  who: 'shanghai' | 'etcd',
  operation: 'put' | 'get',
): Pick<UnaryLoad, 'method' | 'message' | 'servicePackage'> {
  if (who === 'etcd') {
    return operation === 'put'
      ? { servicePackage: 'etcdserverpb', method: 'KV/Put', message: etcdPut(key, value) }
      : { servicePackage: 'etcdserverpb', method: 'KV/Range', message: etcdGet(key) };
  }
  return operation === 'put'
    ? { method: 'KeyValue/Put', message: PutRequest.encode({ options: undefined, key, value, ttlMs: 0n }).finish() }
    : { method: 'KeyValue/Get', message: GetRequest.encode({ options: undefined, key }).finish() };
}

/** Calls of the TypeScript client; keys are counted, not calls. */
function piped({ scope, seconds, shanghai }: Bench, operation: keyof typeof operations, callers: number): BenchCase {
  return {
    name: `client ${operation} x${callers}`,
    what: `${callers} callers in one Node process with the TypeScript client: ${operations[operation]} each`,
    unit: 'keys',
    measure: async () => {
      const { endpoints } = await shanghai();
      return runProcess(scope, program, [endpoints.join(','), operation, String(callers), String(seconds)]);
    },
  };
}

function idleGroups(scope: BenchScope, seconds: number): BenchCase {
  return {
    name: 'idle groups x1000',
    what: 'three hosts in one process with 1,000 groups each, joined by gRPC; all groups sleep',
    unit: 'groups',
    isMeasuredOnce: true,
    measure: () => runProcess(scope, idleProgram, ['1000', String(Math.max(5, seconds))]),
  };
}

function failover(scope: BenchScope, name: string, flags: readonly string[], kills: number): BenchCase {
  let cluster: Promise<BenchCluster> | undefined;
  return {
    name,
    what: `from kill -9 of the leader to the first write that a client gets acknowledged; ${kills} kills`,
    unit: 'failovers',
    isMeasuredOnce: true,
    measure: async () => {
      cluster ??= BenchCluster.start(scope, name.replaceAll(' ', '-'), 3, flags);
      return measureFailover(await cluster, kills);
    },
  };
}

async function prepared(cluster: BenchCluster): Promise<BenchCluster> {
  const client = connect({ endpoints: cluster.endpoints, timeoutMs: 30_000 });
  await client.put(key, value);
  for (let first = 0; first < pipelineKeys; first += 500) {
    await client.batch(Array.from({ length: 500 }, (_, i) => ({ put: pipelineKey(first + i), value })));
  }
  await client.close();
  return cluster;
}

function byCount<T>(make: (count: number) => Promise<T>): (count: number) => Promise<T> {
  const made = new Map<number, Promise<T>>();
  return (count) => {
    const one = made.get(count) ?? make(count);
    made.set(count, one);
    return one;
  };
}

function judge(cases: ReadonlyMap<string, CaseReport>): readonly TargetReport[] {
  const judge = new Judge(cases);
  for (const inFlight of [1, 64, 256]) {
    const [own, other] = [`shanghai put x${inFlight}`, `etcd put x${inFlight}`];
    judge.ratio(own, other, { atLeast: 1, aimAtLeast: 1.3 });
    judge.value(`p99 of ${own} : ${other}`, p99Ratio(judge, own, other), 'x', { atMost: 1 });
  }
  for (const inFlight of [64, 256]) {
    judge.ratio(`shanghai get x${inFlight}`, `etcd get x${inFlight}`, { atLeast: 1.2, aimAtLeast: 1.5 });
  }
  judge.rate('client put x256', { atLeast: 30_000, aimAtLeast: 60_000 });
  judge.rate('client batch x16', { atLeast: 100_000, aimAtLeast: 200_000 });
  judge.ratio('shanghai alone put x64', 'etcd alone put x64', { atLeast: 0.9 });
  judge.value('a core for 1,000 idle groups', judge.case('idle groups x1000')?.details?.['corePercentOfEach'], '%', {
    atMost: 3,
  });
  const bounds = { failover: [2_000, 4_000], 'failover at 150-300 ms': [undefined, 600] } as const;
  for (const [name, [p50, p99]] of Object.entries(bounds)) {
    const latency = judge.case(name)?.latency;
    judge.value(`${name}, p50`, latency?.p50Ms, 'ms', p50 === undefined ? {} : { atMost: p50 });
    judge.value(`${name}, p99`, latency?.p99Ms, 'ms', { atMost: p99 });
  }
  return judge.targets;
}

function p99Ratio(judge: Judge, own: string, other: string): number | undefined {
  const [above, below] = [judge.case(own)?.latency?.p99Ms, judge.case(other)?.latency?.p99Ms];
  return above === undefined || below === undefined ? undefined : above / below;
}
