import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { BenchScope } from '../bench-scope.js';

/** A node under test: a process of its own on free ports. */
export interface BenchServer {
  readonly grpc: string;
  readonly http: string;
  /** What the node itself counted up to now. */
  counters(method: string): Promise<ServerCounters>;
}

/** Counters of a node: requests of one gRPC method by their outcome, and what the process has cost. */
export interface ServerCounters {
  readonly ok: number;
  readonly failed: number;
  /** Given up by the caller: what a generator has in flight when its time is over. */
  readonly cancelled: number;
  readonly cpuSeconds: number;
  readonly walSyncs: number;
  readonly residentBytes: number;
}

const program = fileURLToPath(new URL('../../../server/dist/main.js', import.meta.url));

/** Starts the built server over a new data directory, everything else by default, and waits until it listens. */
export async function startBenchServer(scope: BenchScope): Promise<BenchServer> {
  return startNode(scope, `${scope.directory}/data`, ['--http-port', '0', '--grpc-port', '0']);
}

/** A node with flags of its own, and its process. Resolves when it listens. */
export async function startNode(
  scope: BenchScope,
  dataDirectory: string,
  flags: readonly string[],
): Promise<BenchServer & { readonly child: ChildProcess }> {
  if (!existsSync(program)) throw new Error(`'${program}' is missing; build first: pnpm build`);
  const args = [program, '--data-dir', dataDirectory, '--log-level', 'warn', ...flags];
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SHANGHAI_'));
  const env = Object.fromEntries(inherited);
  const child = scope.own(spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] }));
  const { http, grpc } = await listening(child);
  return { http, grpc, child, counters: (method) => readCounters(http, method) };
}

async function listening(child: ChildProcess): Promise<{ http: string; grpc: string }> {
  if (child.stdout === null) throw new Error('the server has no standard output');
  const complaints: Buffer[] = [];
  child.stderr?.on('data', (chunk: Buffer) => complaints.push(chunk));
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{')) continue;
    const { msg, http, grpc } = JSON.parse(line) as { msg?: string; http?: string; grpc?: string };
    if (msg !== 'listening' || http === undefined || grpc === undefined) continue;
    child.stdout.resume();
    return { http, grpc };
  }
  throw new Error(`the server ended before it listened:\n${Buffer.concat(complaints).toString()}`);
}

async function readCounters(http: string, method: string): Promise<ServerCounters> {
  const response = await fetch(`${http}/metrics`);
  if (!response.ok) throw new Error(`${http}/metrics answered ${response.status}`);
  const text = await response.text();
  const label = `method="${method}"`;
  let [ok, failed, cancelled] = [0, 0, 0];
  for (const [, labels = '', value] of text.matchAll(/^shanghai_requests_total\{([^}]*)\} (\S+)$/gm)) {
    if (!labels.includes('api="grpc"') || !labels.includes(label)) continue;
    if (labels.includes('code="OK"')) ok += Number(value);
    else if (labels.includes('code="CANCELLED"')) cancelled += Number(value);
    else failed += Number(value);
  }
  const plain = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  return {
    ok,
    failed,
    cancelled,
    cpuSeconds: plain('process_cpu_seconds_total'),
    walSyncs: plain('shanghai_wal_sync_seconds_count'),
    residentBytes: plain('process_resident_memory_bytes'),
  };
}
