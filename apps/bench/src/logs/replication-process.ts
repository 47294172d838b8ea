/**
 * `node replication-process.js <directory> <seconds> <entries a second, 0 = as many as go>`: a follower that fetches what a
 * source in a process of its own writes (`replication-source.js`), both with every entry synced. Prints the measurement as
 * one line of JSON: entries that became durable here, and as latency how far behind their stamps that was.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { LatencyRecorder } from '../latency-recorder.js';
import { openReplicationNode } from './replication-node.js';

const [directory, seconds, rate] = process.argv.slice(2);
if (directory === undefined || rate === undefined) {
  throw new TypeError('usage: replication-process.js <directory> <seconds> <entries a second>');
}

const [sourceId, followerId] = [1, 2];
const program = fileURLToPath(new URL('./replication-source.js', import.meta.url));
const node = await openReplicationNode(`${directory}/follower`, followerId);
const source = spawn(process.execPath, [program, `${directory}/source`, node.address, rate], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
node.replicator.setMembers([
  { nodeId: sourceId, address: await addressOf(source) },
  { nodeId: followerId, address: node.address },
]);
const measured = await measure(Number(seconds) * 1_000);
source.kill('SIGKILL');
await node.close();
process.stdout.write(`${JSON.stringify(measured)}\n`);

async function addressOf({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('the source has no standard output');
  for await (const line of createInterface({ input: stdout })) return line;
  throw new Error('the source ended before it listened');
}

/** A fifth of the time is for settling. */
async function measure(lengthMs: number) {
  const latencies = new LatencyRecorder();
  let startMs = Number.POSITIVE_INFINITY;
  const stop = node.onHeld(({ lastHlc }) => {
    if (performance.now() >= startMs) latencies.record(Math.max(0, Date.now() - lastHlc.ms));
  });
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  while (node.held() === 0) await pause(10);
  await pause(lengthMs / 5);
  startMs = performance.now();
  const before = node.held();
  await pause(lengthMs);
  const [operations, elapsedMs] = [node.held() - before, performance.now() - startMs];
  stop();
  const latency = latencies.summary();
  return { operations, errors: 0, elapsedMs, ...(latency === undefined ? {} : { latency }) };
}
