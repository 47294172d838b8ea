// Measures the keydir: `node --expose-gc packages/bitcask/bench/keydir.mjs [keys] [page bytes] [chunk bytes]`.
// Prints bytes and resident bytes a key, nanoseconds an operation (key generation included) and the longest pause, that
// is the longest time a block of 64 operations took, by the clock and in processor time: on a machine that others use
// too, the clock also counts them. Build the packages first (`pnpm build`).
import { performance } from 'node:perf_hooks';
import { createKeydir, createKeydirBuilder } from '../dist/core/keydir.js';

const keys = Number(process.argv[2] ?? 1_000_000);
const options = {
  ...(process.argv[3] ? { pageBytes: Number(process.argv[3]) } : {}),
  ...(process.argv[4] ? { chunkBytes: Number(process.argv[4]) } : {}),
};
const KEY_BYTES = 16;
const key = Buffer.alloc(KEY_BYTES);
const view = new DataView(key.buffer, key.byteOffset, KEY_BYTES);
const position = { fileId: 1, offset: 0, recordBytes: 136, sequence: 1, expires: false };
const out = { ...position };

function mix(n) {
  let x = Math.imul(n ^ (n >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

// `mix` is a bijection of 32 bits, so the keys are distinct.
function randomKey(n) {
  view.setUint32(0, mix(n));
  view.setUint32(4, mix(n ^ 0x5bd1e995));
  view.setUint32(8, mix(n + 77));
  view.setUint32(12, n);
}

// sixteen decimal digits, ascending
function sequentialKey(n) {
  let rest = n;
  for (let i = KEY_BYTES - 1; i >= 0; i -= 1) {
    key[i] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

// `chunkCount` says how many allocations there are; the longest block with a new one is printed apart.
function measure(name, count, operation, chunkCount = () => 0) {
  let chunks = chunkCount();
  let longestGrowthMs = 0;
  let longestMs = 0;
  let longestCpuMs = 0;
  const startMs = performance.now();
  let lastMs = startMs;
  let lastCpuMs = cpuMs();
  for (let i = 0; i < count; ) {
    const end = Math.min(i + 64, count);
    for (; i < end; i += 1) operation(i);
    const nowMs = performance.now();
    const nowCpuMs = cpuMs();
    longestMs = Math.max(longestMs, nowMs - lastMs);
    longestCpuMs = Math.max(longestCpuMs, nowCpuMs - lastCpuMs);
    if (chunkCount() !== chunks) longestGrowthMs = Math.max(longestGrowthMs, nowMs - lastMs);
    chunks = chunkCount();
    lastMs = nowMs;
    lastCpuMs = nowCpuMs;
  }
  const ns = (((lastMs - startMs) * 1e6) / count).toFixed(0);
  const pause = `${longestMs.toFixed(2)} ms, processor ${longestCpuMs.toFixed(2)} ms`;
  const growth = longestGrowthMs > 0 ? `, with a new chunk ${longestGrowthMs.toFixed(2)} ms` : '';
  console.log(`${name.padEnd(28)} ${ns.padStart(6)} ns/op   longest block of 64: ${pause}${growth}`);
}

function residentBytes() {
  globalThis.gc?.();
  return process.memoryUsage().rss;
}

function load(name, makeKey) {
  const before = residentBytes();
  const keydir = createKeydir(options);
  const insert = (i) => {
    makeKey(i);
    position.offset = i & 0x7fffffff;
    position.fileId = 1 + (i >>> 20);
    position.sequence = i + 1;
    keydir.set(key, position);
  };
  measure(name, keys, insert, () => keydir.tree.pool.chunkCount);
  const accounted = keydir.bytes / keys;
  const resident = (residentBytes() - before) / keys;
  console.log(`  ${accounted.toFixed(1)} B/key accounted, ${resident.toFixed(1)} B/key resident (key ${KEY_BYTES} B)`);
  return keydir;
}

function scan(keydir) {
  const cursor = keydir.cursor();
  let more = cursor.seek();
  measure('scan (next, key, position)', keys, () => {
    if (!more) throw new Error('the scan ended early');
    cursor.key();
    cursor.position(out);
    more = cursor.next();
  });
}

// The engine compiles everything first, so that a pause below is one of the data structure.
function warmUp() {
  const keydir = createKeydir(options);
  for (const makeKey of [sequentialKey, randomKey]) {
    for (let n = 0; n < 100_000; n += 1) {
      makeKey(n);
      keydir.set(key, position);
      keydir.get(key, out);
    }
    for (let n = 0; n < 100_000; n += 1) {
      makeKey(n);
      keydir.delete(key);
    }
  }
}

warmUp();
console.log(`${keys} keys, node ${process.version}, ${JSON.stringify(options)}`);
{
  const sequential = load('insert ascending', sequentialKey);
  scan(sequential);
}
const keydir = load('insert random', randomKey);
// What a snapshot of the key directory does on its way to the file, and a load of hints.
function rebuild() {
  const cursor = keydir.cursor();
  const builder = createKeydirBuilder(options);
  let more = cursor.seek();
  measure('build in order', keys, () => {
    cursor.position(out);
    builder.add(cursor.keyBuffer, cursor.keyBytes, out);
    more = cursor.next();
  });
  if (more) throw new Error('the walk is longer than the load');
  const built = builder.finish();
  console.log(`  ${(built.bytes / built.size).toFixed(1)} B/key accounted`);
  // Keys that come afterwards split its pages: not all of them at once.
  for (let i = 1; i <= 50; i += 1) {
    const from = (keys + (keys * (i - 1)) / 100) | 0;
    const to = (keys + (keys * i) / 100) | 0;
    for (let n = from; n < to; n += 1) {
      randomKey(n);
      built.set(key, position);
    }
    if ([1, 5, 10, 20, 50].includes(i))
      console.log(`  ${(built.bytes / built.size).toFixed(1)} B/key with ${i} % more keys`);
  }
}
rebuild();
measure('get random', Math.min(keys, 2_000_000), (i) => {
  randomKey(mix(i) % keys);
  if (!keydir.get(key, out)) throw new Error('a key is missing');
});
measure('get missing', Math.min(keys, 2_000_000), (i) => {
  randomKey(keys + i);
  if (keydir.get(key, out)) throw new Error('a key is there');
});
measure('overwrite random', Math.min(keys, 2_000_000), (i) => {
  randomKey(mix(i) % keys);
  keydir.set(key, position, out);
});
scan(keydir);
measure('delete 3/4 random', keys, (i) => {
  if (i % 4 === 0) return;
  randomKey(i);
  keydir.delete(key);
});
console.log(`  ${(keydir.bytes / keydir.size).toFixed(1)} B/key accounted of the ${keydir.size} left`);
measure('key generation alone', keys, randomKey);
