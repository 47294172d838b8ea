/** kv put, append, delete. */
import { readBytes } from '../byte-text.js';
import type { Action, CommandContext } from '../command-host.js';
import { usageError } from '../ctl-error.js';
import { optionalInteger, text } from '../flag-values.js';
import { bytesFields } from '../output/entry-view.js';
import { inputValue } from './input-value.js';

/** `kv put <key> [value]` */
export const putKey: Action = async (context, values, flags) => {
  const key = readBytes(values[0] as string, context.settings.encoding, 'the key');
  const ttlMs = optionalInteger(flags, 'ttlMs', 1);
  const named = optionalInteger(flags, 'ifRevision', 1);
  if (named !== undefined && flags['ifAbsent'] === true) throw usageError('--if-revision or --if-absent, not both');
  const ifRevision = flags['ifAbsent'] === true ? 0 : named;
  const value = await inputValue(context, values[1] as string | undefined, text(flags, 'file'));
  const { revision } = await (await context.connect()).put(key, value, {
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(ifRevision === undefined ? {} : { ifRevision }),
  });
  await context.print.document({ ...keyFields(context, key), revision }, [['revision', String(revision)]]);
};

/** `kv append <key> [value]` */
export const appendKey: Action = async (context, values, flags) => {
  const key = readBytes(values[0] as string, context.settings.encoding, 'the key');
  const value = await inputValue(context, values[1] as string | undefined, text(flags, 'file'));
  const { revision, valueBytes } = await (await context.connect()).append(key, value);
  await context.print.document({ ...keyFields(context, key), revision, valueBytes }, [
    ['revision', String(revision)],
    ['value bytes', String(valueBytes)],
  ]);
};

/** Keys deleted in one request when a prefix is deleted. */
const deleteBatch = 500;

/** `kv delete [keys...]` */
export const deleteKeys: Action = async (context, values, flags) => {
  const { encoding } = context.settings;
  const names = (values[0] ?? []) as readonly string[];
  const prefix = text(flags, 'prefix');
  if ((names.length === 0) === (prefix === undefined)) throw usageError('name keys or --prefix, one of them');
  if (prefix === '') throw usageError('--prefix is empty, which would delete every key; name what to delete');
  const deleted =
    prefix === undefined
      ? await deleteNamed(context, names)
      : await deletePrefix(context, readBytes(prefix, encoding, 'the prefix'), prefix);
  await context.print.document({ deleted }, [['deleted', String(deleted)]]);
};

async function deleteNamed(context: CommandContext, names: readonly string[]): Promise<number> {
  const keys = names.map((name) => readBytes(name, context.settings.encoding, 'the key'));
  const connection = await context.connect();
  const results = await Promise.all(keys.map((key) => connection.delete(key)));
  return results.filter((result) => result.deleted).length;
}

async function deletePrefix(context: CommandContext, prefix: Uint8Array, shown: string): Promise<number> {
  await context.confirm(`Every key that begins with '${shown}' will be deleted.`);
  const connection = await context.connect({ sessions: true });
  let deleted = 0;
  let keys: Uint8Array[] = [];
  const flush = async () => {
    const results = await connection.batch(
      keys.map((key) => ({ type: 'delete', key })),
      { atomic: false },
    );
    deleted += results.filter((result) => result.deleted === true).length;
    keys = [];
  };
  for await (const { key } of connection.range({ prefix, keysOnly: true, signal: context.signal })) {
    keys.push(key);
    if (keys.length >= deleteBatch) await flush();
    if (context.signal.aborted) break;
  }
  if (keys.length > 0 && !context.signal.aborted) await flush();
  if (context.signal.aborted) context.print.note(`interrupted after ${deleted} keys`);
  return deleted;
}

function keyFields(context: CommandContext, key: Uint8Array): Record<string, string> {
  return bytesFields('key', key, context.settings.encoding);
}
