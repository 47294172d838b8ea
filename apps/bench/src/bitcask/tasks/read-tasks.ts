import { closedLoop } from '../../closed-loop.js';
import { LatencyRecorder } from '../../latency-recorder.js';
import { withProcessorTime } from '../../processor-time.js';
import type { Measurement } from '../../report.js';
import type { EmbeddedStore } from '../engines/embedded-store.js';
import { fillKey, newKey, scatteredNumbers } from '../numbered-keys.js';
import { valueBytes } from '../numbered-values.js';

/** Rows of a scan of what was loaded at random. */
const randomScanRows = 200_000;
/** Rows of a scan of what lies in key order. */
const orderedScanRows = 1_000_000;

/** Blocking reads of random keys in runs of 256: between two runs the clock is read, and one latency of each recorded. */
export async function readBlocking(store: EmbeddedStore, keys: number, seconds: number): Promise<Measurement> {
  const next = scatteredNumbers(keys);
  const key = newKey();
  const latencies = new LatencyRecorder();
  const read = () => {
    if (store.getSync(fillKey(key, next()))?.length !== valueBytes) throw new Error('a value is missing');
  };
  return await withProcessorTime(async () => {
    for (const untilMs = performance.now() + seconds * 200; performance.now() < untilMs; ) read();
    const startMs = performance.now();
    let operations = 0;
    let nowMs = startMs;
    while (nowMs - startMs < seconds * 1_000) {
      for (let i = 1; i < 256; i++) read();
      const beforeMs = performance.now();
      read();
      nowMs = performance.now();
      latencies.record(nowMs - beforeMs);
      operations += 256;
    }
    const latency = latencies.summary();
    return { operations, errors: 0, elapsedMs: nowMs - startMs, ...(latency && { latency }) };
  });
}

/** 64 callers, a promise for each read. */
export async function readWaiting(store: EmbeddedStore, keys: number, seconds: number): Promise<Measurement> {
  const next = scatteredNumbers(keys);
  const { get } = store;
  if (get === undefined) throw new Error('this engine has no read that waits');
  const read = async () => {
    const value = await get(fillKey(newKey(), next()));
    if (value?.length !== valueBytes) throw new Error('a value is missing');
  };
  return await withProcessorTime(() => closedLoop(read, { callers: 64, seconds }));
}

/** How a scan goes over the rows. */
export type ScanForm = 'rows' | 'pages' | 'keys';

/** One scan from the first key on; `ordered`: what is read lies in the order of keys. */
export async function scanRows(
  store: EmbeddedStore,
  form: ScanForm,
  { keys, ordered }: { readonly keys: number; readonly ordered: boolean },
): Promise<Measurement> {
  const scan = { rows: store.scan, pages: store.scanPages ?? store.scan, keys: store.scanKeys ?? store.scan }[form];
  const limit = Math.min(keys, ordered ? orderedScanRows : randomScanRows);
  return await withProcessorTime(async () => {
    const startMs = performance.now();
    const operations = await scan(limit);
    const elapsedMs = performance.now() - startMs;
    if (operations !== limit) throw new Error(`a scan gave ${operations} rows of ${limit}`);
    return { operations, errors: 0, elapsedMs };
  });
}
