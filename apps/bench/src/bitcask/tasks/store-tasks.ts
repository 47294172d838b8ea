import { controlStalls } from '../../loop-stalls.js';
import type { Measurement } from '../../report.js';
import { fillKey, newKey, scatteredNumbers } from '../numbered-keys.js';
import type { StoreHost } from '../store-host.js';
import { putDurably } from './durable-puts.js';
import { loadKeys } from './load-keys.js';
import { mergeHalfDead, readsWhileMerging } from './merge-tasks.js';
import { readBlocking, readWaiting, scanRows } from './read-tasks.js';

const cachedKeys = 100_000;
const overwriteFactor = 2;
const cacheBytes = 64 * 1_048_576;

/** What a store process can be asked for, by name. `seconds`: length of one measurement, where it has one. */
export const storeTasks = {
  load: (host) => host.loading(),
  'load 1000': (host) =>
    host.withFresh({ durable: false }, (store, directory) =>
      loadKeys(store, { keys: host.options.keys, batchPuts: 1_000, directory, settle: () => host.settle() }),
    ),
  'get sync': async (host, seconds) => readBlocking(await host.loaded(), host.options.keys, seconds),
  'get async': async (host, seconds) => readWaiting(await host.loaded(), host.options.keys, seconds),
  scan: async (host) => scanRows(await host.loaded(), 'rows', { keys: host.options.keys, ordered: false }),
  'scan pages': async (host) => scanRows(await host.loaded(), 'pages', { keys: host.options.keys, ordered: false }),
  'scan keys': async (host) => scanRows(await host.loaded(), 'keys', { keys: host.options.keys, ordered: false }),
  'scan merged': async (host) => scanRows(await host.compacted(), 'rows', { keys: host.options.keys, ordered: true }),
  'scan merged pages': async (host) =>
    scanRows(await host.compacted(), 'pages', { keys: host.options.keys, ordered: true }),
  'get sync cached': (host, seconds) => readCached(host, Math.min(host.options.keys, cachedKeys), seconds),
  'durable put': (host, seconds) => host.withFresh({ durable: true }, (store) => putDurably(store, seconds)),
  overwrite: (host) => overwrite(host),
  merge: (host) => host.withClosed(true, (directory) => mergeHalfDead(directory, host.options.keys)),
  'gets while merging': (host, seconds) =>
    host.withClosed(false, (directory) => readsWhileMerging(directory, host.options.keys, seconds)),
  'stall control': async (_, seconds) => {
    const stalls = await controlStalls(seconds);
    return { operations: 1, errors: 0, elapsedMs: seconds * 1_000, details: { ...stalls } };
  },
  close: async (host) => {
    await host.loaded();
    return { operations: 1, errors: 0, elapsedMs: await host.close() };
  },
} satisfies Record<string, (host: StoreHost, seconds: number) => Promise<Measurement>>;

/** Names of the tasks. */
export type StoreTask = keyof typeof storeTasks;

/** Random keys put again, twice as many puts as keys, with the engine's own upkeep running as it likes. */
function overwrite(host: StoreHost): Promise<Measurement> {
  const { keys } = host.options;
  const next = scatteredNumbers(keys);
  return host.changing(async (store, directory) =>
    loadKeys(store, {
      keys: overwriteFactor * keys,
      numberAt: () => next(),
      liveKeys: keys,
      batchPuts: 100,
      directory,
      settle: () => host.settle(),
    }),
  );
}

/** Keys whose values are all in the store's own cache. */
function readCached(host: StoreHost, keys: number, seconds: number): Promise<Measurement> {
  return host.withFresh({ durable: false, valueCacheBytes: cacheBytes }, async (store, directory) => {
    await loadKeys(store, { keys, batchPuts: 100, directory, settle: () => host.settle() });
    const key = newKey();
    for (let number = 0; number < keys; number++) store.getSync(fillKey(key, number));
    return readBlocking(store, keys, seconds);
  });
}
