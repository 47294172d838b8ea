/**
 * `node apps/server/bench/engines.mjs [keys] [rounds]`: what a state costs on each storage engine: batches of 100 puts as
 * apply makes them (not synced), point reads, a whole range, reopening. 16-byte keys in random order, 100-byte values; a
 * directory each under the temporary one, removed at the end. Processor time of this process, engines interleaved,
 * median of the rounds. Build first.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { nodeClock, nodeDisk } from '@shanghai/env';
import { openEngine } from '../dist/engine/open-engine.js';
import { engineNames } from '../dist/engine/storage-engine.js';

const keys = Number(process.argv[2] ?? 200_000);
const rounds = Number(process.argv[3] ?? 3);
const value = new Uint8Array(100).fill(7);

function keyOf(n) {
  let x = Math.imul(n ^ 0x5bd1e995, 0x9e3779b1) >>> 0;
  x = Math.imul(x ^ (x >>> 15), 0x85ebca6b) >>> 0;
  return Buffer.from(`key-${x.toString(16).padStart(12, '0')}`);
}

const open = (name, directory) =>
  openEngine(name, {
    directory,
    horizon: () => 0,
    maxKeyBytes: 65_600,
    maxValueBytes: 16_777_216,
    maxQueuedBytes: 268_435_456,
    store: { merge: { enabled: false } },
    disk: nodeDisk(),
    clock: nodeClock(),
  });

async function cpuUs(count, work) {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / count, wall: ((performance.now() - startedMs) * 1000) / count };
}

async function measure(name) {
  const directory = await mkdtemp(`${tmpdir()}/shanghai-engines-`);
  try {
    let engine = await open(name, directory);
    const puts = await cpuUs(keys, async () => {
      for (let n = 0; n < keys; n += 100) {
        await engine.batch(Array.from({ length: 100 }, (_, i) => ({ type: 'put', key: keyOf(n + i), value })));
      }
      await engine.checkpoint();
    });
    const reads = Math.min(keys, 50_000);
    const gets = await cpuUs(reads, async () => {
      for (let i = 0; i < reads; i++) await engine.getEntry(keyOf(Math.imul(i, 7_919) % keys));
    });
    const getsSync = await cpuUs(reads, async () => {
      for (let i = 0; i < reads; i++) engine.getEntrySync(keyOf(Math.imul(i, 7_919) % keys));
    });
    const range = await cpuUs(keys, async () => {
      for await (const { key } of engine.range()) if (key.length !== 16) throw new Error('wrong key');
    });
    await engine.close();
    const reopen = await cpuUs(1000, async () => {
      engine = await open(name, directory);
    });
    await engine.close();
    return { puts, gets, getsSync, range, reopen };
  } finally {
    await rm(directory, { recursive: true });
  }
}

const results = new Map(engineNames.map((name) => [name, []]));
for (let round = 0; round < rounds; round++)
  for (const name of engineNames) results.get(name).push(await measure(name));
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const column = (runs, what) =>
  `${median(runs.map((run) => run[what].cpu)).toFixed(2)} (${median(runs.map((run) => run[what].wall)).toFixed(2)})`;
console.log(`${keys} keys; microseconds of processor time an operation, wall time in brackets; reopen in milliseconds`);
console.table(
  [...results].map(([engine, runs]) => ({
    engine,
    'put, batches of 100': column(runs, 'puts'),
    get: column(runs, 'gets'),
    'get, blocking': column(runs, 'getsSync'),
    'range, an entry': column(runs, 'range'),
    reopen: column(runs, 'reopen'),
  })),
);
