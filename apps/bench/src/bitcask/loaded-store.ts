import { rm } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type BatchOperation, type Bitcask, openBitcask } from '@shanghai/bitcask';
import { LatencyRecorder } from '../latency-recorder.js';
import type { Measurement } from '../report.js';
import { fillKey, keyBytes } from './numbered-keys.js';

/** Bytes of every value. */
export const valueBytes = 100;

const batchOperations = 100;
const batchesInFlight = 16;

/** A store with all keys in it, and how long loading took. */
export interface LoadedStore {
  readonly store: Bitcask;
  readonly directory: string;
  readonly loading: Measurement;
}

/**
 * A new store in `directory` (which is emptied first), never synced before an answer, with `keys` keys put in batches
 * of 100, 16 batches in flight.
 */
export async function loadStore(directory: string, keys: number): Promise<LoadedStore> {
  await rm(directory, { recursive: true, force: true });
  const store = await openBitcask({ directory, durability: 'never' });
  const latencies = new LatencyRecorder();
  const loop = monitorEventLoopDelay({ resolution: 1 });
  const value = new Uint8Array(valueBytes).fill(7);
  const batch = Array.from({ length: batchOperations }, () => ({ key: new Uint8Array(keyBytes), value }));
  const operations: BatchOperation[] = batch.map((put) => ({ type: 'put', ...put }));
  const inFlight: Promise<void>[] = [];
  const put = async () => {
    const startedMs = performance.now();
    await store.batch(operations);
    latencies.record(performance.now() - startedMs);
  };
  loop.enable();
  const processorBefore = process.cpuUsage();
  const startMs = performance.now();
  for (let number = 0; number < keys; number += batchOperations) {
    const count = Math.min(batchOperations, keys - number);
    operations.length = count;
    for (let i = 0; i < count; i++) fillKey(operations[i]?.key ?? new Uint8Array(), number + i);
    inFlight.push(put());
    if (inFlight.length >= batchesInFlight) await inFlight.shift();
  }
  await Promise.all(inFlight);
  const elapsedMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(processorBefore);
  loop.disable();
  const latency = latencies.summary();
  const { keydirBytes, segments } = store.stats();
  if (store.size !== keys) throw new Error(`${keys} keys were put and the store has ${store.size}`);
  const details = {
    keydirBytesPerKey: keydirBytes / keys,
    segments,
    longestLoopDelayMs: loop.max / 1e6,
    cpuUsEach: (user + system) / keys,
  };
  return {
    store,
    directory,
    loading: { operations: keys, errors: 0, elapsedMs, ...(latency && { latency }), details },
  };
}
