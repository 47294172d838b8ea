// What sharing messages is worth. A memory server in a process of its own, one client process, 100-byte values.
//   npx tsx --conditions=@shanghai/source packages/client/bench/batching-bench.ts [seconds per cell, default 1]
// Every cell runs `rounds` times, interleaved with the others; the median is printed. The client's CPU time a call hardly
// depends on what else the machine does; rates and latencies do.
import { type ChildProcess, spawn } from 'node:child_process';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import { KeyValueClient } from '@shanghai/proto';
import type { ClientOptions } from '../src/client-options.js';
import { connect } from '../src/grpc/connect.js';
import { startGrpcMemoryServer } from '../src/testing/grpc-memory-server.js';

interface Cell {
  readonly rate: number;
  readonly p99Ms: number;
  readonly cpuUs: number;
}

type Put = (key: string) => Promise<unknown>;

const rounds = 3;
const value = Buffer.alloc(100, 120);
const seconds = Number(process.argv[2] ?? '1');

if (process.argv[2] === 'server') {
  const { endpoint } = await startGrpcMemoryServer();
  console.log(endpoint);
} else {
  const { child, endpoint } = await startServer();
  try {
    await measure(endpoint);
  } finally {
    child.kill();
  }
}

async function startServer(): Promise<{ child: ChildProcess; endpoint: string }> {
  const child = spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), 'server'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const endpoint = await new Promise<string>((resolve) =>
    child.stdout.once('data', (line) => resolve(String(line).trim())),
  );
  return { child, endpoint };
}

async function measure(endpoint: string): Promise<void> {
  const ways: [string, () => { put: Put; close: () => unknown }][] = [
    ['unary call', () => unary(endpoint)],
    ['one message a call', () => batched(endpoint, { maxMessageRequests: 1, maxUnansweredMessages: 4_096 })],
    ...[1, 2, 4, 8, 4_096].map((window): [string, () => { put: Put; close: () => unknown }] => [
      `shared, ${window} unanswered`,
      () => batched(endpoint, { maxUnansweredMessages: window }),
    ]),
  ];
  const cells = [1, 64, 512].flatMap((callers) => [false, true].map((scattered) => ({ callers, scattered })));
  console.log(
    `node ${process.version}, ${seconds} s a cell, median of ${rounds}: calls/s, p99 ms, client CPU us a call`,
  );
  console.log(
    `${'way'.padEnd(24)}${cells.map((cell) => `${cell.callers}${cell.scattered ? ' scattered' : ''}`.padStart(18)).join('')}`,
  );
  const results = new Map<string, Cell[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, open] of ways) {
      const { put, close } = open();
      await put('warm');
      for (const { callers, scattered } of cells) {
        const key = `${name}/${callers}/${scattered}`;
        results.set(key, [...(results.get(key) ?? []), await run(put, callers, scattered)]);
      }
      await close();
    }
  }
  for (const [name] of ways) {
    const texts = cells.map(({ callers, scattered }) => {
      const sorted = (results.get(`${name}/${callers}/${scattered}`) ?? []).sort((a, b) => a.rate - b.rate);
      const { rate = 0, p99Ms = 0, cpuUs = 0 } = sorted[Math.floor(sorted.length / 2)] ?? {};
      return `${Math.round(rate)} ${p99Ms.toFixed(1)} ${Math.round(cpuUs)}`.padStart(18);
    });
    console.log(`${name.padEnd(24)}${texts.join('')}`);
  }
}

/** Callers in a closed loop; scattered ones let up to three turns pass between calls, so that they do not march in step. */
async function run(put: Put, callers: number, scattered: boolean): Promise<Cell> {
  const latenciesMs: number[] = [];
  const startMs = performance.now();
  const cpuBefore = process.cpuUsage();
  const endMs = startMs + seconds * 1_000;
  const caller = async (name: number) => {
    for (let i = 0; performance.now() < endMs; i++) {
      if (scattered) for (let turns = (name * 7 + i) % 4; turns > 0; turns--) await turn();
      const sentMs = performance.now();
      await put(`key:${name}:${i % 100}`);
      latenciesMs.push(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, name) => caller(name)));
  const elapsedSeconds = (performance.now() - startMs) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  latenciesMs.sort((a, b) => a - b);
  const p99Ms = latenciesMs[Math.floor(latenciesMs.length * 0.99)] ?? 0;
  return { rate: latenciesMs.length / elapsedSeconds, p99Ms, cpuUs: (user + system) / latenciesMs.length };
}

function batched(endpoint: string, options: Partial<ClientOptions>): { put: Put; close: () => unknown } {
  const client = connect({ endpoints: [endpoint], ...options });
  return { put: (key) => client.put(key, value), close: () => client.close() };
}

function unary(endpoint: string): { put: Put; close: () => unknown } {
  const client = new KeyValueClient(endpoint, credentials.createInsecure());
  const options = { keyspace: '', sessionId: 0n, requestNumber: 0n, retry: false };
  const put = (key: string) =>
    new Promise((resolve, reject) => {
      client.put({ options, key: Buffer.from(key), value, ttlMs: 0n }, (error, response) => {
        if (error === null) resolve(response);
        else reject(error);
      });
    });
  return { put, close: () => client.close() };
}
