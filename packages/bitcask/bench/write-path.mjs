/**
 * `node packages/bitcask/bench/write-path.mjs [batches|durable|both] [keys] [directory] [dist]`: what the write path
 * costs, in processor time and in stalls of the event loop. 16-byte keys in random order, 100-byte values.
 * `batches`: never-sync, 100 puts a batch, 16 batches in flight. `durable`: mode `always`, 64 callers with one put each.
 * Build first; the files lie in a temporary directory and are removed.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { PerformanceObserver } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { fillKey } from './load.mjs';

const what = process.argv[2] ?? 'both';
const keys = Number(process.argv[3] ?? 1_000_000);
const root = process.argv[4] ?? tmpdir();
const { openBitcask } = await import(
  pathToFileURL(resolve(process.argv[5] ?? `${import.meta.dirname}/../dist/index.js`)).href
);

/** Processor time of the main thread alone, in microseconds; hints are written on another one. Linux only. */
function mainThreadUs() {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[0]) / 1000;
  } catch {
    return Number.NaN;
  }
}

/**
 * Gaps between turns of the event loop, and the pauses of the collector, while `work` runs. A gap counts at most the
 * processor time that the process used in it: on a busy machine the rest was somebody else's.
 */
async function watched(operations, work) {
  const gaps = [];
  const pauses = { minor: 0, major: 0, longestMs: 0, totalMs: 0 };
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      pauses[entry.detail.kind === 1 ? 'minor' : 'major']++;
      pauses.longestMs = Math.max(pauses.longestMs, entry.duration);
      pauses.totalMs += entry.duration;
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  let lastMs = performance.now();
  let lastCpu = process.cpuUsage();
  const probe = setInterval(() => {
    const nowMs = performance.now();
    const used = process.cpuUsage(lastCpu);
    gaps.push(Math.min(nowMs - lastMs - 1, (used.user + used.system) / 1000));
    lastMs = nowMs;
    lastCpu = process.cpuUsage();
  }, 1);
  const cpu = process.cpuUsage();
  const mainUs = mainThreadUs();
  const startedMs = performance.now();
  await work();
  const elapsedMs = performance.now() - startedMs;
  const used = process.cpuUsage(cpu);
  const mainUsedUs = mainThreadUs() - mainUs;
  await new Promise((done) => setTimeout(done, 5));
  clearInterval(probe);
  observer.disconnect();
  gaps.sort((a, b) => b - a);
  const top = gaps.slice(0, 5).map((gap) => gap.toFixed(1));
  return {
    perSecond: Math.round((operations / elapsedMs) * 1000),
    cpuUs: ((used.user + used.system) / operations).toFixed(2),
    mainThreadUs: (mainUsedUs / operations).toFixed(2),
    stallsMs: `${top.join(' ')} p99 ${(gaps[Math.floor(gaps.length / 100)] ?? 0).toFixed(1)}`,
    gc: `${pauses.minor} minor ${pauses.major} other, longest ${pauses.longestMs.toFixed(1)} ms, all ${pauses.totalMs.toFixed(0)} ms`,
  };
}

async function batches(store, count) {
  const value = new Uint8Array(100).fill(7);
  const batch = Array.from({ length: 100 }, () => ({ type: 'put', key: new Uint8Array(16).fill(107), value }));
  const inFlight = [];
  for (let n = 0; n < count; n += batch.length) {
    for (let i = 0; i < batch.length; i++) fillKey(batch[i].key, n + i);
    inFlight.push(store.batch(batch));
    if (inFlight.length >= 16) await inFlight.shift();
  }
  await Promise.all(inFlight);
}

async function durable(store, count) {
  const value = new Uint8Array(100).fill(7);
  let n = 0;
  const caller = async () => {
    const key = new Uint8Array(16).fill(107);
    while (n < count) await store.put(fillKey(key, n++), value);
  };
  await Promise.all(Array.from({ length: 64 }, caller));
}

async function measured(name, options, count, work) {
  const directory = await mkdtemp(`${root}/bitcask-write-`);
  const store = await openBitcask({ directory, merge: { enabled: false }, ...options });
  try {
    // The first run is the compiler's.
    await work(store, Math.ceil(count / 5));
    console.log(name, await watched(count, () => work(store, count)));
  } finally {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  }
}

if (what !== 'durable') await measured('batches', { durability: 'never' }, keys, batches);
if (what !== 'batches') {
  const count = Math.min(keys, 300_000);
  await measured('durable', { durability: 'always' }, count, durable);
}
