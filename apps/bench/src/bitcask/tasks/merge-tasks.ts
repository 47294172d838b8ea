/** What only this store has: merges of its own segments, alone and beside reads. */
import { type Bitcask, openBitcask } from '@shanghai/bitcask';
import { withLoopStalls } from '../../loop-stalls.js';
import { openLoop } from '../../open-loop.js';
import { withProcessorTime } from '../../processor-time.js';
import type { LatencySummary, Measurement } from '../../report.js';
import { fillKey, newKey, scatteredNumbers } from '../numbered-keys.js';
import { valueBytes, valueOfNumber } from '../numbered-values.js';

const mebibyte = 1_048_576;
const batchPuts = 100;
const readsPerSecond = 5_000;
const pacedBytesPerSecond = 50 * mebibyte;

/**
 * Puts every second key anew, then merges all segments as fast as it goes. Counted: bytes of the merged segments (read).
 * Leaves a store in key order.
 */
export async function mergeHalfDead(directory: string, keys: number): Promise<Measurement> {
  const store = await openBitcask({ directory, durability: 'never', merge: { enabled: false, bytesPerSecond: 0 } });
  try {
    await overwriteHalf(store, keys);
    return await withProcessorTime(async () => {
      const startMs = performance.now();
      const { result, stalls } = await withLoopStalls(() => store.merge({ force: true }));
      const elapsedMs = performance.now() - startMs;
      const { bytesBefore, bytesAfter, recordsCopied } = result;
      if (recordsCopied !== keys) throw new Error(`a merge of ${keys} live keys copied ${recordsCopied}`);
      return {
        operations: bytesBefore,
        errors: 0,
        elapsedMs,
        details: { readPlusWrittenBytesPerSecond: ((bytesBefore + bytesAfter) * 1_000) / elapsedMs, ...stalls },
      };
    });
  } finally {
    await store.close();
  }
}

/**
 * Reads at a fixed rate, first alone, then beside a merge that reads and writes 50 MiB a second; the merge is given up
 * at the end. Latencies are those beside the merge; `idleP50Ms` and `idleP99Ms` those without.
 */
export async function readsWhileMerging(directory: string, keys: number, seconds: number): Promise<Measurement> {
  const merge = { enabled: false, bytesPerSecond: pacedBytesPerSecond };
  const store = await openBitcask({ directory, durability: 'never', merge });
  try {
    const idle = await readFor(store, keys, () => new Promise((resolve) => setTimeout(resolve, seconds * 1_000)));
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), seconds * 1_000);
    const merging = await readFor(store, keys, () =>
      store.merge({ force: true, signal: stop.signal }).catch(ignoreAbort),
    );
    clearTimeout(timer);
    const details = {
      ...percentiles('idle', idle.latency),
      ...percentiles('merging', merging.latency),
      ...merging.details,
    };
    return { ...merging, errors: idle.errors + merging.errors, details };
  } finally {
    await store.close();
  }
}

async function readFor(store: Bitcask, keys: number, work: () => Promise<unknown>): Promise<Measurement> {
  const next = scatteredNumbers(keys);
  const read = async () => {
    const value = await store.get(fillKey(newKey(), next()));
    if (value?.length !== valueBytes) throw new Error('a value is missing');
  };
  let isOver = false;
  const working = work().finally(() => {
    isOver = true;
  });
  const { result, stalls } = await withLoopStalls(() => openLoop(read, readsPerSecond, () => isOver));
  await working;
  return { ...result, details: { ...stalls } };
}

function percentiles(name: string, latency: LatencySummary | undefined): Record<string, number> {
  return latency === undefined ? {} : { [`${name}P50Ms`]: latency.p50Ms, [`${name}P99Ms`]: latency.p99Ms };
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error && (error.name === 'AbortError' || /abort/i.test(error.message)))) throw error;
}

async function overwriteHalf(store: Bitcask, keys: number): Promise<void> {
  for (let first = 0; first < keys; first += 2 * batchPuts) {
    const count = Math.min(batchPuts, Math.ceil((keys - first) / 2));
    await store.batch(
      Array.from({ length: count }, (_, i) => {
        const number = first + 2 * i;
        return { type: 'put', key: fillKey(newKey(), number), value: valueOfNumber(number) };
      }),
    );
  }
}
