/**
 * `node reopen-process.js <engine> <directory> <snapshot|hints>`: opens a store, prints how long that took as one line of
 * JSON, closes it.
 */
import { openBitcask } from '@shanghai/bitcask';
import type { EmbeddedStore } from './engines/embedded-store.js';
import type { EngineName } from './engines/engine-name.js';
import { openEngine } from './engines/open-engine.js';
import { shanghaiEngine } from './engines/shanghai-engine.js';

const [engine, directory, from] = process.argv.slice(2);
if (engine === undefined || directory === undefined || from === undefined)
  throw new TypeError('usage: reopen-process.js <engine> <directory of a store> <snapshot|hints>');

interface Opened {
  readonly store: EmbeddedStore;
  readonly usedSnapshot: boolean;
  readonly keys?: number;
}

async function open(path: string): Promise<Opened> {
  if (engine !== 'shanghai') {
    const store = await openEngine(engine as EngineName, { directory: path, durable: false });
    return { store, usedSnapshot: false };
  }
  const keydirSnapshot = { enabled: from === 'snapshot' };
  const store = await openBitcask({ directory: path, durability: 'never', keydirSnapshot });
  return { store: shanghaiEngine(store), usedSnapshot: store.stats().opened.snapshotSegments > 0, keys: store.size };
}

const rssBefore = process.memoryUsage.rss();
const startMs = performance.now();
const { store, keys, usedSnapshot } = await open(directory);
const openMs = performance.now() - startMs;
const rssBytes = process.memoryUsage.rss();
const addedRssBytes = rssBytes - rssBefore;
process.stdout.write(`${JSON.stringify({ openMs, keys, usedSnapshot, addedRssBytes, rssBytes })}\n`);
await store.close();
