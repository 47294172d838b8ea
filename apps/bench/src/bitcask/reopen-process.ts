/** `node reopen-process.js <directory>`: opens a store, prints how long that took as one line of JSON, closes it. */
import { openBitcask } from '@shanghai/bitcask';

const directory = process.argv[2];
if (directory === undefined) throw new TypeError('usage: reopen-process.js <directory of a store>');
const rssBefore = process.memoryUsage.rss();
const startMs = performance.now();
const store = await openBitcask({ directory, durability: 'never' });
const openMs = performance.now() - startMs;
const rssBytes = process.memoryUsage.rss();
process.stdout.write(
  `${JSON.stringify({ openMs, keys: store.size, addedRssBytes: rssBytes - rssBefore, rssBytes })}\n`,
);
await store.close();
