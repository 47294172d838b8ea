/** kv watch. */
import { cellText, readBytes } from '../byte-text.js';
import type { Action } from '../command-host.js';
import { usageError } from '../ctl-error.js';
import { optionalInteger, text } from '../flag-values.js';
import { entryJson } from '../output/entry-view.js';

/** `kv watch [key]` */
export const watchKeys: Action = async (context, values, flags) => {
  const { encoding } = context.settings;
  const key = values[0] as string | undefined;
  const prefix = text(flags, 'prefix');
  if (key !== undefined && prefix !== undefined) throw usageError('a key or --prefix, not both');
  const target = {
    ...(key === undefined ? {} : { key: readBytes(key, encoding, 'the key') }),
    ...(prefix === undefined ? {} : { prefix: readBytes(prefix, encoding, 'the prefix') }),
  };
  let left = optionalInteger(flags, 'count', 1) ?? Number.POSITIVE_INFINITY;
  const connection = await context.connect();
  // A reader that went away (`| head`) ends the watch although nothing changes.
  const ending = new AbortController();
  const end = () => ending.abort();
  context.terminal.stdout.once('close', end);
  context.signal.addEventListener('abort', end);
  try {
    const onReady = () => context.print.note('watching');
    for await (const change of connection.watch({ ...target, onReady, signal: ending.signal })) {
      if (ending.signal.aborted) return;
      const isDelete = change.type === 'delete';
      const shown = isDelete ? '' : `  ${cellText(change.value, encoding, 120)}`;
      await context.print.stream(
        { type: change.type, ...entryJson(change, encoding, isDelete) },
        `${change.revision}  ${change.type}  ${cellText(change.key, encoding, 120)}${shown}`,
      );
      left -= 1;
      if (left <= 0) return;
    }
  } catch (error) {
    if (!context.terminal.stdout.destroyed) throw error;
  } finally {
    context.terminal.stdout.off('close', end);
    context.signal.removeEventListener('abort', end);
  }
};
