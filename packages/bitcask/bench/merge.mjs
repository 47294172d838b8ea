/**
 * `node packages/bitcask/bench/merge.mjs [keys] [value bytes] [directory]`: a full merge of a store in which every key
 * was written twice, in random order: MB/s of inputs, processor time of the store's own thread per record, the longest
 * stall of the event loop; then one at 50 MB/s beside point reads, whose latencies are compared with an idle store's.
 * The files lie in a temporary directory and are removed. Build first.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { openBitcask } from '../dist/index.js';
import { fillKey } from './load.mjs';

const keys = Number(process.argv[2] ?? 500_000);
const valueBytes = Number(process.argv[3] ?? 100);
const directory = await mkdtemp(`${process.argv[4] ?? tmpdir()}/bitcask-merge-`);
const options = { directory, durability: 'never', segmentBytes: 33_554_432 };

/** Processor milliseconds of this thread; of the whole process where the system does not tell. */
function ownCpuMs() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e3;
  }
}

const key = new Uint8Array(16).fill(107);
async function write(store, mark, step) {
  const value = new Uint8Array(valueBytes).fill(mark);
  const batch = Array.from({ length: 100 }, () => ({ type: 'put', key: new Uint8Array(16).fill(107), value }));
  const inFlight = [];
  for (let n = 0; n < keys; n += batch.length * step) {
    for (let i = 0; i < batch.length; i++) fillKey(batch[i].key, (n + i * step) % keys);
    inFlight.push(store.batch(batch));
    if (inFlight.length >= 16) await inFlight.shift();
  }
  await Promise.all(inFlight);
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

/** Point reads one after the other until `stop` says so: latencies in microseconds, sorted. */
async function read(store, stop, sync) {
  const latencies = [];
  for (let i = 0; !stop(latencies.length); i++) {
    fillKey(key, (i * 7919) % keys);
    const startedMs = performance.now();
    if (sync) store.getSync(key);
    else await store.get(key);
    latencies.push((performance.now() - startedMs) * 1e3);
    if (sync && i % 8 === 7) await new Promise((resolve) => setImmediate(resolve));
  }
  return latencies.sort((a, b) => a - b);
}

/** The longest time this thread worked without letting others in: unlike a timer's lateness it leaves other programs out. */
function watchBursts() {
  let longestMs = 0;
  let lastMs = ownCpuMs();
  let on = true;
  const look = () => {
    const nowMs = ownCpuMs();
    longestMs = Math.max(longestMs, nowMs - lastMs);
    lastMs = ownCpuMs();
    if (on) setImmediate(look);
  };
  setImmediate(look);
  return () => {
    on = false;
    return longestMs;
  };
}

const shown = (sorted) =>
  `p50 ${percentile(sorted, 0.5).toFixed(1)}, p99 ${percentile(sorted, 0.99).toFixed(1)}, p99.9 ${percentile(sorted, 0.999).toFixed(1)} µs`;

async function measured(name, work) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const cpuMs = ownCpuMs();
  const whole = process.cpuUsage();
  const startedMs = performance.now();
  const result = await work();
  const seconds = (performance.now() - startedMs) / 1e3;
  const own = ownCpuMs() - cpuMs;
  const { user, system } = process.cpuUsage(whole);
  delay.disable();
  const allUs = user + system;
  const perRecord = ((own * 1e3) / Math.max(1, result.recordsCopied)).toFixed(2);
  console.log(
    `${name}: ${seconds.toFixed(2)} s; inputs ${(result.bytesBefore / 1e6 / seconds).toFixed(0)} MB/s, read+written ${((result.bytesBefore + result.bytesAfter) / 1e6 / seconds).toFixed(0)} MB/s; ` +
      `own thread ${perRecord} µs a record copied (${result.recordsCopied}), all threads ${(allUs / result.recordsCopied).toFixed(2)} µs; longest stall ${(delay.max / 1e6).toFixed(1)} ms`,
  );
}

try {
  const unlimited = { ...options, merge: { enabled: false, bytesPerSecond: 0 } };
  let store = await openBitcask(unlimited);
  await write(store, 1, 1);
  await write(store, 2, 2);
  await store.close();
  // Opened again, so that hints are there, as they are in a store that has run for a while.
  store = await openBitcask(unlimited);
  await measured('merge, unlimited', () => store.merge({ force: true }));
  await write(store, 3, 1);
  await store.close();
  store = await openBitcask(unlimited);
  const stop = watchBursts();
  await store.merge({ force: true });
  console.log(`longest burst of the own thread's processor time: ${stop().toFixed(1)} ms`);
  await write(store, 3, 2);
  await store.close();
  const paced = await openBitcask({ ...options, merge: { enabled: false, bytesPerSecond: 50_000_000 } });
  for (const sync of [true, false]) {
    await write(paced, 4, 2);
    const idle = await read(paced, (count) => count >= (sync ? 200_000 : 40_000), sync);
    let done = false;
    const merging = measured('merge at 50 MB/s', () => paced.merge({ force: true })).finally(() => {
      done = true;
    });
    const beside = await read(paced, () => done, sync);
    await merging;
    console.log(`${sync ? 'getSync' : 'get'} idle: ${shown(idle)}`);
    console.log(
      `${sync ? 'getSync' : 'get'} beside it: ${shown(beside)}; p99 ratio ${(percentile(beside, 0.99) / percentile(idle, 0.99)).toFixed(2)}`,
    );
  }
  await paced.close();
} finally {
  await rm(directory, { recursive: true, force: true });
}
