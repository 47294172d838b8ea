// What the core costs without the APIs: unary puts, synced, through command log, apply and store, and gets.
// Runs against dist: `npx tsc -b apps/server && node apps/server/bench/core.mjs [seconds] [concurrency]`.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { openNode } from '../dist/open-node.js';

const seconds = Number(process.argv[2] ?? 3);
const concurrency = Number(process.argv[3] ?? 64);
const dataDirectory = await mkdtemp(join(tmpdir(), 'shanghai-core-'));
const node = await openNode({ dataDirectory });
const context = { signal: new AbortController().signal, isCancelled: false, correlationId: 'bench' };
const value = Buffer.alloc(100, 'v');
const keyOf = (n) => Buffer.from(`key-${String(n % 100_000).padStart(10, '0')}`);

async function run(name, operation) {
  const latencies = [];
  let next = 0;
  const cpu = process.cpuUsage();
  const start = performance.now();
  const end = start + seconds * 1000;
  const caller = async () => {
    for (let now = performance.now(); now < end; ) {
      await operation(next++);
      const after = performance.now();
      latencies.push(after - now);
      now = after;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  const elapsedMs = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.floor(latencies.length * share)].toFixed(3);
  const rate = Math.round((latencies.length / elapsedMs) * 1000);
  const cpuUs = ((user + system) / latencies.length).toFixed(1);
  console.log(`${name}: ${rate}/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${cpuUs} µs CPU each (all threads)`);
}

const { sessionId } = (await node.keyValue.openSession(0, context)).value;
const put = (n) => ({ kind: 'independent', operations: [{ type: 'put', key: keyOf(n), value }] });
console.log(`${concurrency} in flight, ${value.length} B values, ${seconds} s each`);
await run('put', (n) => node.keyValue.write(put(n), { keyspace: '' }, context));
await run('put with session', (n) =>
  node.keyValue.write(put(n), { keyspace: '', session: { sessionId, requestNumber: n + 1, retry: false } }, context),
);
await run('get', (n) => node.keyValue.get(keyOf(n), { keyspace: '', level: 'linearizable' }, context));
const settings = {
  mode: 'quorum',
  acknowledgement: 'quorum',
  retentionMs: 0,
  retentionBytes: 0,
  cleanupPolicy: 'delete',
};
const logs = Array.from({ length: 50 }, (_, i) => `log-${i}`);
for (const log of logs) await node.logs.create(log, settings, context);
const records = [{ key: Buffer.alloc(0), value, headers: [] }];
await run('append to 1 log', () => node.logs.append({ log: 'log-0', records }, context));
await run('append to 50 logs', (n) => node.logs.append({ log: `log-${n % 50}`, records }, context));
await node.close(1000);
await rm(dataDirectory, { recursive: true });
