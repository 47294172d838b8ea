/** kv get, range, stats. */
import { readBytes } from '../byte-text.js';
import type { Action, CommandContext, Flags } from '../command-host.js';
import type { Entry, KeyRange } from '../connection.js';
import { CtlError } from '../ctl-error.js';
import { oneOf, optionalInteger, text } from '../flag-values.js';
import { storeDurabilityText } from '../output/durability.js';
import { entryColumns, entryJson } from '../output/entry-view.js';
import { formatBytes, formatCount } from '../output/quantities.js';

/** `kv get <keys...>` */
export const getKeys: Action = async (context, values, flags) => {
  const { encoding, output } = context.settings;
  const names = (values[0] ?? []) as readonly string[];
  const keys = names.map((name) => readBytes(name, encoding, 'the key'));
  const level = levelOf(flags);
  const connection = await context.connect();
  const entries = await Promise.all(keys.map((key) => connection.get(key, level)));
  const missing = names.filter((_, index) => entries[index] === undefined);
  const [first] = entries;
  if (entries.length === 1 && first !== undefined) {
    if (output === 'table') await writeValue(context, first.value);
    else await context.print.document(entryJson(first, encoding), []);
  } else if (entries.length > 1) {
    const list = context.print.list<Entry>(entryColumns(encoding, false, cellLength(context)), (entry) =>
      entryJson(entry, encoding),
    );
    for (const entry of entries) if (entry !== undefined) await list.row(entry);
    await list.end();
  }
  if (missing.length > 0) {
    throw new CtlError('NOT_FOUND', `there is no key ${missing.map((name) => `'${name}'`).join(', ')}`, {
      details: { keys: missing },
    });
  }
};

/** Byte for byte, so that files come out as they went in; a terminal gets text unless it asked for another encoding. */
async function writeValue({ print, settings, terminal }: CommandContext, value: Uint8Array): Promise<void> {
  if (settings.encoding === 'text') await print.raw(value);
  else await print.raw(Buffer.from(value).toString(settings.encoding));
  if (terminal.stdout.isTTY === true || settings.encoding !== 'text') await print.raw('\n');
}

/** The range that arguments and options name. */
export function rangeOf(
  context: CommandContext,
  start: string | undefined,
  end: string | undefined,
  flags: Flags,
): KeyRange {
  const { encoding } = context.settings;
  const prefix = text(flags, 'prefix');
  const limit = optionalInteger(flags, 'limit', 0);
  return {
    ...(start === undefined ? {} : { start: readBytes(start, encoding, 'the start') }),
    ...(end === undefined ? {} : { end: readBytes(end, encoding, 'the end') }),
    ...(prefix === undefined ? {} : { prefix: readBytes(prefix, encoding, 'the prefix') }),
    ...(limit === undefined ? {} : { limit }),
    reverse: flags['reverse'] === true,
    keysOnly: flags['keysOnly'] === true || flags['count'] === true,
    signal: context.signal,
    ...levelOf(flags),
  };
}

/** `kv range [start] [end]` */
export const listRange: Action = async (context, values, flags) => {
  const { encoding } = context.settings;
  const range = rangeOf(context, values[0] as string | undefined, values[1] as string | undefined, flags);
  const keysOnly = range.keysOnly === true;
  const entries = range.limit === 0 ? none() : (await context.connect()).range(range);
  if (flags['count'] === true) {
    let count = 0;
    for await (const _ of entries) count += 1;
    return context.print.document({ count }, [['Keys', String(count)]]);
  }
  const maxLength = flags['wide'] === true ? Number.POSITIVE_INFINITY : cellLength(context);
  const list = context.print.list<Entry>(entryColumns(encoding, keysOnly, maxLength), (entry) =>
    entryJson(entry, encoding, keysOnly),
  );
  for await (const entry of entries) {
    if (context.signal.aborted || context.terminal.stdout.destroyed) break;
    await list.row(entry);
  }
  await list.end();
};

/** A row of a key and a value should fit into the terminal; where there is none, 80 characters each. */
function cellLength({ terminal }: CommandContext): number {
  const { isTTY, columns } = terminal.stdout;
  if (isTTY !== true || columns === undefined) return 80;
  // Two gaps and a revision of ten digits stand beside them.
  return Math.min(80, Math.max(20, Math.floor((columns - 14) / 2)));
}

/** How fresh the reads of a command must be. */
function levelOf(flags: Flags): { readonly level?: 'linearizable' | 'stale' } {
  const level = oneOf(flags, 'level', ['linearizable', 'stale']);
  return level === undefined ? {} : { level };
}

async function* none(): AsyncGenerator<Entry> {}

/** `kv stats` */
export const showStats: Action = async (context) => {
  const { storage, wal } = await (await context.connect()).status();
  const amount = (name: string) => Number(storage[name] ?? 0);
  const reads = amount('cacheHits') + amount('cacheMisses');
  const stored = amount('liveBytes') + amount('deadBytes');
  await context.print.document({ ...storage, walDurability: wal['durability'] }, [
    ['Keys', formatCount(amount('keys'))],
    ['Live', formatBytes(amount('liveBytes'))],
    ['Dead', `${formatBytes(amount('deadBytes'))}${stored === 0 ? '' : ` (${share(amount('deadBytes'), stored)})`}`],
    ['Segments', formatCount(amount('segments'))],
    ['Key directory', formatBytes(amount('keyDirectoryBytes'))],
    ['Cache hits', reads === 0 ? '-' : `${share(amount('cacheHits'), reads)} of ${formatCount(reads)} reads`],
    ['Merge', String(storage['mergeState'] ?? '-')],
    ['Durability', `${storeDurabilityText(storage['durability'])} (${String(wal['durability'] ?? '-')})`],
  ]);
};

function share(part: number, whole: number): string {
  return `${((part / whole) * 100).toFixed(1)}%`;
}
