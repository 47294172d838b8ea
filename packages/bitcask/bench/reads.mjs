/**
 * `node packages/bitcask/bench/reads.mjs [keys] [directory]`: point reads and scans of a store loaded in random order,
 * then of the same store after a full merge: operations a second and processor time each. 16-byte keys, 100-byte
 * values in the page cache. The files lie in a temporary directory and are removed. Build first.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { openBitcask } from '../dist/index.js';
import { fill, fillKey } from './load.mjs';

const keys = Number(process.argv[2] ?? 1_000_000);
const directory = await mkdtemp(`${process.argv[3] ?? tmpdir()}/bitcask-reads-`);
const options = { directory, durability: 'never', merge: { enabled: false, bytesPerSecond: 0 } };

async function measure(name, run) {
  const before = process.cpuUsage();
  const startMs = performance.now();
  const count = await run();
  const elapsedMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(before);
  const rate = Math.round((count / elapsedMs) * 1000).toLocaleString('en');
  console.log(`${name}: ${rate}/s, ${((user + system) / count).toFixed(2)} us of processor time each`);
}

async function pointReads(store, label, count, spread) {
  const key = new Uint8Array(16).fill(107);
  for (let round = 0; round < 3; round++) {
    await measure(`getSync, ${label}`, () => {
      for (let i = 0; i < count; i++) {
        if (store.getSync(fillKey(key, (i * 7919) % spread)) === undefined) throw new Error('a value is missing');
      }
      return count;
    });
  }
}

async function asyncReads(store, label, callers, count, spread) {
  let next = 0;
  const caller = async () => {
    const key = new Uint8Array(16).fill(107);
    while (next < count) await store.get(fillKey(key, (next++ * 7919) % spread));
  };
  for (let round = 0; round < 2; round++) {
    next = 0;
    await measure(`get, ${label}`, async () => {
      await Promise.all(Array.from({ length: callers }, caller));
      return count;
    });
  }
}

async function scan(store, label, rangeOptions) {
  await measure(`range, ${label}`, async () => {
    let rows = 0;
    for await (const _ of store.range(rangeOptions)) rows++;
    return rows;
  });
}

async function scanPages(store, label, rangeOptions) {
  if (store.range().pages === undefined) return;
  await measure(`range in pages, ${label}`, async () => {
    let rows = 0;
    for await (const page of store.range(rangeOptions).pages()) rows += page.length;
    return rows;
  });
}

async function scans(store, label) {
  for (let round = 0; round < 3; round++) {
    await scan(store, `${label}`, {});
    await scanPages(store, `${label}`, {});
  }
  await scan(store, `${label}, backwards`, { reverse: true });
  await scan(store, `${label}, keys only`, { keysOnly: true });
  await scanPages(store, `${label}, keys only`, { keysOnly: true });
  const key = new Uint8Array(16).fill(107);
  await measure(`ranges of 10 rows, ${label}`, async () => {
    let rows = 0;
    for (let i = 0; i < 3_000; i++) {
      for await (const _ of store.range({ start: fillKey(key, (i * 7919) % keys), limit: 10 })) rows++;
    }
    return rows;
  });
}

try {
  let store = await openBitcask(options);
  await fill(store, keys);
  if (!process.env.SKIP_POINTS) {
    await pointReads(store, 'no value cache', 500_000, keys);
    await asyncReads(store, 'one at a time', 1, 50_000, keys);
    await asyncReads(store, '64 callers', 64, 200_000, keys);
  }
  await scans(store, 'loaded at random');
  await store.merge({ force: true });
  await scans(store, 'after a full merge');
  await store.close();
  store = await openBitcask({ ...options, cache: { maxBytes: 256 * 1_048_576 } });
  const hot = Math.min(keys, 100_000);
  await pointReads(store, 'value cache', hot, hot);
  await pointReads(store, 'value cache', 1_000_000, hot);
  await asyncReads(store, 'value cache, one at a time', 1, 200_000, hot);
  await store.close();
} finally {
  await rm(directory, { recursive: true, force: true });
}
