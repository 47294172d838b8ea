import { LatencyRecorder } from '../../latency-recorder.js';
import { withLoopStalls } from '../../loop-stalls.js';
import { bytesSentToStorage, directoryBytes } from '../../process-io.js';
import type { Measurement } from '../../report.js';
import type { EmbeddedStore, KeyValue } from '../engines/embedded-store.js';
import { fillKey, keyBytes, newKey } from '../numbered-keys.js';
import { valueBytes, valueOfNumber } from '../numbered-values.js';

const batchesInFlight = 16;

/** What loading is told. */
export interface LoadOptions {
  /** How many puts, and so many keys, unless `numberAt` says otherwise. */
  readonly keys: number;
  /** The number of the key that is put at this place of the order. Default: the place itself, every key once. */
  readonly numberAt?: (place: number) => number;
  /** Keys in the store afterwards, where that is not `keys`. */
  readonly liveKeys?: number;
  readonly batchPuts: number;
  /** Where the store lies, to see how much space it takes. */
  readonly directory: string;
  /** Waits for what goes on in the background; not part of the rate, but of what was written. */
  readonly settle: () => Promise<void>;
}

/**
 * Puts the keys [0, keys) in batches, 16 batches in flight. Details: the longest stall of the event loop, what was
 * written and what is stored over the bytes of keys and values (write and space amplification).
 */
export async function loadKeys(store: EmbeddedStore, options: LoadOptions): Promise<Measurement> {
  const { keys, directory, settle, liveKeys = keys } = options;
  const latencies = new LatencyRecorder();
  const storageBefore = bytesSentToStorage();
  const processorBefore = process.cpuUsage();
  const { result: elapsedMs, stalls } = await withLoopStalls(async () => {
    const startMs = performance.now();
    await putAll(store, options, latencies);
    return performance.now() - startMs;
  });
  const { user, system } = process.cpuUsage(processorBefore);
  await settle();
  const userBytes = keys * (keyBytes + valueBytes);
  const storageAfter = bytesSentToStorage();
  const latency = latencies.summary();
  const storedBytes = await directoryBytes(directory);
  const details = {
    ...store.details?.(),
    cpuUsEach: (user + system) / keys,
    ...stalls,
    ...(storageBefore === undefined || storageAfter === undefined
      ? {}
      : { writeAmplification: (storageAfter - storageBefore) / userBytes }),
    spaceAmplification: storedBytes / (liveKeys * (keyBytes + valueBytes)),
    diskBytesPerKey: storedBytes / liveKeys,
  };
  return { operations: keys, errors: 0, elapsedMs, ...(latency && { latency }), details };
}

async function putAll(store: EmbeddedStore, options: LoadOptions, latencies: LatencyRecorder): Promise<void> {
  const { keys, batchPuts, numberAt = (place) => place } = options;
  // Each batch in flight has buffers of its own: some engines read them until the put is committed.
  const batches = Array.from({ length: batchesInFlight }, () => new ReusedBatch(batchPuts, numberAt));
  const put = async (batch: ReusedBatch, first: number, count: number) => {
    const puts = batch.fill(first, count);
    const startedMs = performance.now();
    await store.putBatch(puts);
    latencies.record(performance.now() - startedMs);
  };
  const inFlight: Promise<void>[] = [];
  for (let first = 0, turn = 0; first < keys; first += batchPuts, turn++) {
    if (inFlight.length === batchesInFlight) await inFlight.shift();
    const batch = batches[turn % batchesInFlight];
    if (batch !== undefined) inFlight.push(put(batch, first, Math.min(batchPuts, keys - first)));
  }
  await Promise.all(inFlight);
}

class ReusedBatch {
  readonly #puts: { key: Uint8Array; value: Uint8Array }[];
  readonly #numberAt: (place: number) => number;

  constructor(puts: number, numberAt: (place: number) => number) {
    this.#numberAt = numberAt;
    this.#puts = Array.from({ length: puts }, (_, number) => ({
      key: newKey(),
      value: valueOfNumber(number),
    }));
  }

  fill(first: number, count: number): readonly KeyValue[] {
    const puts = this.#puts;
    for (let i = 0; i < count; i++) {
      const put = puts[i];
      if (put === undefined) continue;
      fillKey(put.key, this.#numberAt(first + i));
      put.value = valueOfNumber(first + i);
    }
    return count === puts.length ? puts : puts.slice(0, count);
  }
}
