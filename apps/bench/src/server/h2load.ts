/**
 * Load from h2load (nghttp2), a generator in C that costs a small part of what a client in JavaScript does: with the
 * latter one measures the client. It sends one body over and over, so every request of a case is the same.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { BenchScope } from '../bench-scope.js';
import { LatencyRecorder } from '../latency-recorder.js';
import type { LatencySummary } from '../report.js';
import { grpcFrame } from './grpc-frame.js';

/** What to send. */
export interface H2loadOptions {
  /** `host:port`. */
  readonly endpoint: string;
  /** `package.Service/Method`. */
  readonly path: string;
  readonly message: Uint8Array;
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly streams: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

/** What came back, by HTTP: a gRPC failure is a success here; the server's own counters tell. */
export interface H2loadResult {
  readonly succeeded: number;
  /** Failed, timed out, or answered with anything but 2xx. */
  readonly failed: number;
  readonly elapsedMs: number;
  readonly latency: LatencySummary | undefined;
}

/** Whether h2load can be started here. */
export async function hasH2load(): Promise<boolean> {
  const child = spawn('h2load', ['--version'], { stdio: 'ignore' });
  return await new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
  });
}

/** Runs it once. */
export async function runH2load(scope: BenchScope, options: H2loadOptions): Promise<H2loadResult> {
  const { endpoint, path, message, connections, streams, seconds, warmUpSeconds } = options;
  const body = `${scope.directory}/h2load-body`;
  const log = `${scope.directory}/h2load-log`;
  await writeFile(body, grpcFrame(message));
  await rm(log, { force: true });
  const args = [
    ...['-c', String(connections), '-m', String(streams), '-t', '1', '-d', body, `--log-file=${log}`],
    ...['-D', `${Math.ceil(seconds)}s`, `--warm-up-time=${Math.ceil(warmUpSeconds)}s`],
    ...['-H', 'content-type: application/grpc', '-H', 'te: trailers', `http://${endpoint}/${path}`],
  ];
  const child = scope.own(spawn('h2load', args, { stdio: ['ignore', 'pipe', 'pipe'] }));
  const output = await outputOf(child);
  const counts = parseCounts(output);
  const latency = await readLatencies(log);
  return { ...counts, elapsedMs: Math.ceil(seconds) * 1_000, latency };
}

async function outputOf(child: ChildProcess): Promise<string> {
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  const output = Buffer.concat(chunks).toString();
  if (code !== 0) throw new Error(`h2load ended with ${code}:\n${output}`);
  return output;
}

/**
 * The lines `requests: …` and `status codes: …` of h2load's summary. It counts a status when the head of an answer
 * arrives and a request when all of it has: at the ends of the measured time the two differ by what was in flight, so
 * only answers with other statuses than 2xx say something.
 */
export function parseCounts(output: string): { readonly succeeded: number; readonly failed: number } {
  const requests = /^requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, .* (\d+) timeout$/m.exec(output);
  const codes = /^status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx$/m.exec(output);
  if (requests === null || codes === null) throw new Error(`h2load printed something else than expected:\n${output}`);
  const [, done = 0, succeeded = 0, timedOut = 0] = requests.map(Number);
  const [, redirected = 0, refused = 0, broken = 0] = codes.map(Number);
  const otherStatuses = redirected + refused + broken;
  // h2load calls 4xx and 5xx failed, and 3xx succeeded.
  const failed = Math.max(done - succeeded, refused + broken) + redirected + timedOut;
  return { succeeded: Math.max(0, Math.min(succeeded, done - otherStatuses)), failed };
}

/** Lines of `start time µs, status, latency µs`; h2load writes those of the measured time only. */
async function readLatencies(path: string): Promise<LatencySummary | undefined> {
  const latencies = new LatencyRecorder();
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const latencyUs = Number(line.split('\t')[2]);
    if (Number.isFinite(latencyUs)) latencies.record(latencyUs / 1_000);
  }
  return latencies.summary();
}
