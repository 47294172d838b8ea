/** `node reopen-process.js <engine> <directory>`: opens a store, prints how long that took as one line of JSON, closes it. */
import { openBitcask } from '@shanghai/bitcask';
import type { EmbeddedStore } from './engines/embedded-store.js';
import type { EngineName } from './engines/engine-name.js';
import { openEngine } from './engines/open-engine.js';
import { shanghaiEngine } from './engines/shanghai-engine.js';

const [engine, directory] = process.argv.slice(2);
if (engine === undefined || directory === undefined)
  throw new TypeError('usage: reopen-process.js <engine> <directory of a store>');

async function open(path: string): Promise<{ readonly store: EmbeddedStore; readonly keys?: number }> {
  if (engine !== 'shanghai')
    return { store: await openEngine(engine as EngineName, { directory: path, durable: false }) };
  const store = await openBitcask({ directory: path, durability: 'never' });
  return { store: shanghaiEngine(store), keys: store.size };
}

const rssBefore = process.memoryUsage.rss();
const startMs = performance.now();
const { store, keys } = await open(directory);
const openMs = performance.now() - startMs;
const rssBytes = process.memoryUsage.rss();
process.stdout.write(`${JSON.stringify({ openMs, keys, addedRssBytes: rssBytes - rssBefore, rssBytes })}\n`);
await store.close();
