/**
 * `fork('store-process.js', [engine, directory, keys])`: one store in a process of its own, so that heaps, collections
 * and page faults of one engine are not another's. Each message `{ task, seconds }` is answered with
 * `{ measurement }` or `{ failure }`. It ends when its parent goes away.
 */
import type { EngineName } from './engines/engine-name.js';
import { StoreHost } from './store-host.js';
import { type StoreTask, storeTasks } from './tasks/store-tasks.js';

const [engine, directory, keys] = process.argv.slice(2);
if (engine === undefined || directory === undefined || keys === undefined || process.send === undefined)
  throw new TypeError("usage: fork('store-process.js', [engine, directory, keys])");

const host = new StoreHost({ engine: engine as EngineName, directory, keys: Number(keys) });

process.on('message', (message: { readonly task: StoreTask; readonly seconds: number }) => {
  storeTasks[message.task](host, message.seconds).then(
    (measurement) => process.send?.({ measurement }),
    (error: unknown) =>
      process.send?.({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
process.once('disconnect', () => process.exit());
