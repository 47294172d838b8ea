/**
 * A node as users run it, in a process of its own with everything by default: durable writes over the network. Load
 * comes from h2load; the streaming cases use the TypeScript client in a third process and say so.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { connect } from '@shanghai/client/grpc';
import { GetRequest, LogAppendRequest, PutRequest } from '@shanghai/proto';
import type { BenchScope } from '../bench-scope.js';
import { Judge } from '../judge.js';
import type { CaseReport, Measurement, SyncProbe, TargetReport } from '../report.js';
import type { BenchCase, Suite } from '../suite.js';
import { type BenchServer, startBenchServer } from './bench-server.js';
import { hasH2load } from './h2load.js';
import { pipelineKey, pipelineKeys } from './pipeline-key.js';
import { costs, loadShapes, unaryLoad } from './unary-load.js';

const key = Buffer.from('bench:unary-key');
const value = Buffer.alloc(100, 7);
const logName = 'bench';
const program = fileURLToPath(new URL('./pipeline-process.js', import.meta.url));

/** The cases of `bench server`. Starts the node. */
export async function serverSuite(scope: BenchScope, seconds: number): Promise<Suite> {
  const skipped = (await hasH2load())
    ? undefined
    : "h2load is not installed (Debian: 'apt-get install nghttp2-client'); a Node client would measure itself";
  const server = await startBenchServer(scope);
  await prepare(server);
  const unary = (
    name: string,
    what: string,
    method: string,
    message: Uint8Array,
    inFlight: keyof typeof loadShapes,
  ) => ({
    name: `${name} x${inFlight}`,
    what: `${what}; ${inFlight} in flight on ${loadShapes[inFlight][0]} connections`,
    unit: 'calls',
    ...(skipped === undefined ? {} : { skipped }),
    measure: () => unaryLoad(scope, server, { method, message, shape: loadShapes[inFlight], seconds }),
  });
  const piped = (operation: 'put' | 'get', callers: number): BenchCase => ({
    name: `pipeline ${operation} x${callers}`,
    what: `${callers} callers in one Node process with the TypeScript client, which costs as much as the server`,
    unit: 'calls',
    measure: () => pipelineLoad(scope, server, operation, callers, seconds),
  });
  const put = PutRequest.encode({ options: undefined, key, value, ttlMs: 0n }).finish();
  const get = GetRequest.encode({ options: undefined, key }).finish();
  const append = LogAppendRequest.encode({
    log: logName,
    records: [{ key: Buffer.alloc(0), value, headers: [] }],
    acknowledgement: 0,
    producer: undefined,
  }).finish();
  const puts = ([1, 64, 256] as const).map((inFlight) =>
    unary('put', 'unary put of 100 B, synced before the answer', 'KeyValue/Put', put, inFlight),
  );
  return {
    name: 'server',
    syncMode: 'always (one sync for all requests in flight)',
    notes: [
      'Server and load generator share the cores of this machine.',
      'h2load sends one body over and over: every unary case uses one key. Answers are counted by the server too; a gRPC failure counts as an error, what h2load had in flight when its time was over counts as nothing.',
      'h2load measures whole seconds.',
    ],
    cases: [
      ...puts,
      unary('get', 'unary linearizable get of 100 B', 'KeyValue/Get', get, 64),
      unary('log append', 'unary append of 100 B to a named log, synced', 'Log/Append', append, 64),
      ...(['put', 'get'] as const).flatMap((operation) => [64, 1_024].map((callers) => piped(operation, callers))),
    ],
    judge,
    close: async () => {},
  };
}

async function prepare({ grpc }: BenchServer): Promise<void> {
  const client = connect({ endpoints: [grpc], timeoutMs: 30_000 });
  await client.put(key, value);
  await Promise.all(Array.from({ length: pipelineKeys }, (_, number) => client.put(pipelineKey(number), value)));
  await client.log.create(logName);
  await client.close();
}

async function pipelineLoad(
  scope: BenchScope,
  server: BenchServer,
  operation: 'put' | 'get',
  callers: number,
  seconds: number,
): Promise<Measurement> {
  const method = operation === 'put' ? 'KeyValue/Pipeline/Put' : 'KeyValue/Pipeline/Get';
  const before = await server.counters(method);
  const args = [program, server.grpc, operation, String(callers), String(seconds)];
  const child = scope.own(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] }));
  const output: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => output.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the pipeline client ended with exit code ${code}`);
  const measured = JSON.parse(Buffer.concat(output).toString()) as Measurement;
  return { ...measured, details: { ...measured.details, ...costs(before, await server.counters(method)) } };
}

function judge(cases: ReadonlyMap<string, CaseReport>, probe: SyncProbe): readonly TargetReport[] {
  const judge = new Judge(cases);
  judge.rate('put x64', { atLeast: 12_000 });
  judge.ratio('put x64', 'put x1');
  judge.ratio('get x64', 'put x64');
  const rate = judge.case('put x64')?.perSecond;
  judge.value('put x64 : syncs of the disk', rate && rate / probe.perSecond, 'x');
  judge.ratio('pipeline put x1024', 'put x64');
  return judge.targets;
}
