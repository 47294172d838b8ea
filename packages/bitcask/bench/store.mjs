/**
 * `node packages/bitcask/bench/store.mjs [keys] [directory]`: puts/s in batches of 100, gets/s, a scan, reopening from
 * hints, memory. 16-byte keys, 100-byte values, never-sync; the files lie in a temporary directory and are removed.
 * Build first.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { openBitcask } from '../dist/index.js';
import { fill, fillKey } from './load.mjs';

const keys = Number(process.argv[2] ?? 1_000_000);
const directory = await mkdtemp(`${process.argv[3] ?? tmpdir()}/bitcask-bench-`);
const options = { directory, durability: 'never', merge: { enabled: false } };
const rssMb = () => Math.round(process.memoryUsage().rss / 1_048_576);
const perSecond = (count, startedMs) =>
  `${Math.round((count / (performance.now() - startedMs)) * 1000).toLocaleString('en')}/s`;

try {
  let store = await openBitcask(options);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let startedMs = performance.now();
  await fill(store, keys);
  const putRate = perSecond(keys, startedMs);
  delay.disable();
  const stats = store.stats();
  console.log(
    `put, batches of 100: ${putRate}; longest loop delay ${(delay.max / 1e6).toFixed(1)} ms; RSS ${rssMb()} MiB`,
  );
  console.log(
    `keydir ${(stats.keydirBytes / stats.keys).toFixed(1)} B/key, ${stats.keys} keys, ${stats.segments} segments`,
  );
  const gets = Math.min(keys, 500_000);
  const key = new Uint8Array(16).fill(107);
  startedMs = performance.now();
  let found = 0;
  for (let i = 0; i < gets; i++) if (store.getSync(fillKey(key, (i * 7919) % keys)) !== undefined) found++;
  console.log(`getSync, random: ${perSecond(gets, startedMs)} (${found} found)`);
  startedMs = performance.now();
  let scanned = 0;
  for await (const _ of store.range({ limit: 200_000 })) scanned++;
  console.log(`range with values: ${perSecond(scanned, startedMs)}`);
  startedMs = performance.now();
  await store.close();
  console.log(`close (sync, seal, hint): ${Math.round(performance.now() - startedMs)} ms`);
  startedMs = performance.now();
  store = await openBitcask(options);
  console.log(`reopen from hints: ${Math.round(performance.now() - startedMs)} ms; RSS ${rssMb()} MiB`);
  await store.close();
} finally {
  await rm(directory, { recursive: true, force: true });
}
