import { type BatchOperation, type Bitcask, openBitcask } from '@shanghai/bitcask';
import type { EmbeddedStore, EmbeddedStoreOptions, KeyValue } from './embedded-store.js';

/** `@shanghai/bitcask` with defaults, but for what the options ask. */
export async function openShanghai(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const { directory, durable, valueCacheBytes = 0 } = options;
  const store = await openBitcask({
    directory,
    durability: durable ? 'always' : 'never',
    cache: { maxBytes: valueCacheBytes },
  });
  return shanghaiEngine(store);
}

/** The cases' view of an open store, which it closes. */
export function shanghaiEngine(store: Bitcask): EmbeddedStore {
  return {
    putBatch: (puts) => store.batch(puts.map(asOperation)),
    putDurable: (key, value) => store.put(key, value),
    getSync: (key) => store.getSync(key),
    get: (key) => store.get(key),
    scan: async (limit) => {
      let rows = 0;
      for await (const _ of store.range({ limit })) rows++;
      return rows;
    },
    scanPages: async (limit) => {
      let rows = 0;
      for await (const page of store.range({ limit }).pages()) rows += page.length;
      return rows;
    },
    scanKeys: async (limit) => {
      let rows = 0;
      for await (const _ of store.range({ limit, keysOnly: true })) rows++;
      return rows;
    },
    compact: async () => {
      await store.merge({ force: true });
    },
    details: () => {
      const { keydirBytes, keys, segments } = store.stats();
      return { keydirBytesPerKey: keydirBytes / Math.max(1, keys), segments };
    },
    close: () => store.close(),
  };
}

function asOperation({ key, value }: KeyValue): BatchOperation {
  return { type: 'put', key, value };
}
