/**
 * The key-value store alone, in this process. Every round loads a new store; the cases of the round read it; the last
 * one closes it and opens it again. Cases load it themselves when `--only` left the first one out.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openBitcask } from '@shanghai/bitcask';
import type { BenchScope } from '../bench-scope.js';
import { closedLoop } from '../closed-loop.js';
import { Judge } from '../judge.js';
import { LatencyRecorder } from '../latency-recorder.js';
import { withProcessorTime } from '../processor-time.js';
import type { CaseReport, Measurement, SyncProbe, TargetReport } from '../report.js';
import type { BenchCase, Suite } from '../suite.js';
import { type LoadedStore, loadStore, valueBytes } from './loaded-store.js';
import { fillKey, keyBytes, scatteredNumbers } from './numbered-keys.js';
import { reopenInProcess } from './reopen.js';

/** Sizes of a run. */
export interface BitcaskSuiteOptions {
  readonly seconds: number;
  readonly keys: number;
}

const scanLimit = 200_000;
const cachedKeys = 100_000;
const durableCallers = 64;

/** The cases of `bench bitcask`. */
export function bitcaskSuite(scope: BenchScope, { seconds, keys }: BitcaskSuiteOptions): Suite {
  const directory = join(scope.directory, 'store');
  let current: { readonly round: number; readonly loaded: LoadedStore } | undefined;
  const close = async () => {
    const closing = current?.loaded.store;
    current = undefined;
    await closing?.close();
  };
  const loaded = async (round: number): Promise<LoadedStore> => {
    if (current?.round !== round) {
      await close();
      current = { round, loaded: await loadStore(directory, keys) };
    }
    return current.loaded;
  };
  const reads = (name: string, what: string, unit: string, measure: (loaded: LoadedStore) => Promise<Measurement>) => ({
    name,
    what,
    unit,
    measure: async (round: number) => {
      const store = await loaded(round);
      return await withProcessorTime(() => measure(store));
    },
  });
  const cases: BenchCase[] = [
    reads(
      'put batches',
      '100 puts a batch, 16 batches in flight, never synced',
      'puts',
      async ({ loading }) => loading,
    ),
    reads('get sync', 'random keys, values in the page cache, no value cache, blocking', 'gets', async (store) =>
      getsSync(store, keys, seconds),
    ),
    reads('get async x64', '64 callers, random keys, values in the page cache, no value cache', 'gets', (store) =>
      getsAsync(store, keys, seconds),
    ),
    reads('scan', `whole rows in key order, at most ${scanLimit}`, 'rows', (store) => scan(store, false)),
    reads('scan keys', `keys only, in key order, at most ${scanLimit}`, 'rows', (store) => scan(store, true)),
    {
      name: `durable put x${durableCallers}`,
      what: `${durableCallers} callers, one put each, synced before the answer`,
      unit: 'puts',
      measure: () => durablePuts(join(scope.directory, 'durable'), seconds),
    },
    {
      name: 'get sync, value cache',
      what: `random keys of ${Math.min(keys, cachedKeys)} whose values the store keeps in memory`,
      unit: 'gets',
      measure: () => cachedGets(join(scope.directory, 'cached'), Math.min(keys, cachedKeys), seconds),
    },
    {
      name: 'reopen',
      what: `close, then open ${keys} keys from their hint files in a fresh process`,
      unit: 'keys',
      measure: async (round) => {
        await loaded(round);
        const startMs = performance.now();
        await close();
        return await reopen(scope, directory, keys, performance.now() - startMs);
      },
    },
  ];
  return {
    name: 'bitcask',
    syncMode: `never, where the case does not say otherwise`,
    notes: [
      `${keys} keys of ${keyBytes} B, values of ${valueBytes} B, in one process and thread with its callers; background merges on as by default.`,
      'Values come from the page cache of the operating system: nothing here measures a cold disk.',
    ],
    cases,
    judge: (reports, probe) => judge(reports, probe, keys),
    close,
  };
}

/** Blocking reads in runs of 256: between two runs the clock is read, and one latency of each run is recorded. */
async function getsSync({ store }: Pick<LoadedStore, 'store'>, keys: number, seconds: number): Promise<Measurement> {
  const next = scatteredNumbers(keys);
  const key = new Uint8Array(keyBytes);
  const latencies = new LatencyRecorder();
  const read = () => {
    if (store.getSync(fillKey(key, next()))?.length !== valueBytes) throw new Error('a value is missing');
  };
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
}

function getsAsync({ store }: LoadedStore, keys: number, seconds: number): Promise<Measurement> {
  const next = scatteredNumbers(keys);
  return closedLoop(
    async () => {
      const value = await store.get(fillKey(new Uint8Array(keyBytes), next()));
      if (value?.length !== valueBytes) throw new Error('a value is missing');
    },
    { callers: 64, seconds },
  );
}

async function cachedGets(directory: string, keys: number, seconds: number): Promise<Measurement> {
  await (await loadStore(directory, keys)).store.close();
  const store = await openBitcask({ directory, durability: 'never', cache: { maxBytes: 64 * 1_048_576 } });
  try {
    const key = new Uint8Array(keyBytes);
    for (let number = 0; number < keys; number++) store.getSync(fillKey(key, number));
    const before = store.stats().cache;
    const measured = await withProcessorTime(() => getsSync({ store }, keys, seconds));
    const { hits, misses } = store.stats().cache;
    const share = (hits - before.hits) / (hits - before.hits + misses - before.misses);
    return { ...measured, details: { ...measured.details, hitShare: share } };
  } finally {
    await store.close();
    await rm(directory, { recursive: true });
  }
}

async function scan({ store }: LoadedStore, keysOnly: boolean): Promise<Measurement> {
  const startMs = performance.now();
  let operations = 0;
  for await (const _ of store.range({ limit: scanLimit, keysOnly })) operations++;
  return { operations, errors: 0, elapsedMs: performance.now() - startMs };
}

async function durablePuts(directory: string, seconds: number): Promise<Measurement> {
  const store = await openBitcask({ directory, durability: 'always' });
  try {
    const value = new Uint8Array(valueBytes).fill(7);
    const put = (number: number) => store.put(fillKey(new Uint8Array(keyBytes), number), value);
    return await withProcessorTime(() => closedLoop(put, { callers: durableCallers, seconds }));
  } finally {
    await store.close();
    await rm(directory, { recursive: true });
  }
}

async function reopen(scope: BenchScope, directory: string, keys: number, closeMs: number): Promise<Measurement> {
  const opened = await reopenInProcess(scope, directory);
  if (opened.keys !== keys) throw new Error(`${keys} keys were put and ${opened.keys} came back`);
  const mebibyte = 1_048_576;
  return {
    operations: keys,
    errors: 0,
    elapsedMs: opened.openMs,
    details: {
      openMs: opened.openMs,
      closeMs,
      rssMiB: opened.rssBytes / mebibyte,
      addedRssBytesPerKey: opened.addedRssBytes / keys,
    },
  };
}

function judge(cases: ReadonlyMap<string, CaseReport>, probe: SyncProbe, keys: number): readonly TargetReport[] {
  const judge = new Judge(cases);
  judge.rate('put batches', { atLeast: 200_000 });
  judge.rate('get sync', { atLeast: 250_000 });
  judge.rate('get sync, value cache', { atLeast: 250_000 });
  judge.rate('get async x64');
  const openMs = judge.case('reopen')?.details?.['openMs'];
  judge.value(`reopening ${keys} keys`, openMs, 'ms', { atMost: (1_500 * Math.max(keys, 1_000_000)) / 1_000_000 });
  const perKey = judge.case('put batches')?.details?.['keydirBytesPerKey'];
  judge.value('key directory', perKey, 'B/key', keys >= 1_000_000 ? { atMost: 45 + keyBytes } : {});
  const durable = judge.case(`durable put x${durableCallers}`)?.perSecond;
  judge.value('durable put x64 : syncs of the disk', durable && durable / probe.perSecond, 'x');
  return judge.targets;
}
