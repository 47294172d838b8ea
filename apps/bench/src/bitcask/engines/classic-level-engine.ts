import { ClassicLevel } from 'classic-level';
import type { EmbeddedStore, EmbeddedStoreOptions } from './embedded-store.js';

const pageRows = 1_000;
/** Its default of 16 KiB would end a page after 140 rows. */
const pageBytes = 1_048_576;

/** LevelDB through `classic-level` with its defaults (8 MiB block cache, Snappy on) and the encoding that costs it least. */
export async function openClassicLevel({ directory, durable }: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const db = new ClassicLevel<Uint8Array, Uint8Array>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  await db.open();
  const sync = { sync: durable };
  return {
    putBatch: (puts) =>
      db.batch(
        puts.map(({ key, value }) => ({ type: 'put', key, value })),
        sync,
      ),
    putDurable: (key, value) => db.put(key, value, { sync: true }),
    getSync: (key) => db.getSync(key),
    get: (key) => db.get(key),
    scan: async (limit) => {
      let rows = 0;
      for await (const _ of db.iterator({ limit })) rows++;
      return rows;
    },
    scanPages: async (limit) => {
      const iterator = db.iterator({ limit, highWaterMarkBytes: pageBytes });
      let rows = 0;
      for (let page = await iterator.nextv(pageRows); page.length > 0; page = await iterator.nextv(pageRows))
        rows += page.length;
      await iterator.close();
      return rows;
    },
    compact: () => db.compactRange(new Uint8Array(), new Uint8Array(64).fill(255)),
    close: () => db.close(),
  };
}
