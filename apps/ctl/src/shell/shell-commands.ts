/** The commands of the shell: what they are called, take and do. Words are bytes, so keys need no encoding. */
import { cellText } from '../byte-text.js';
import type { Connection, Entry } from '../connection.js';
import { MisuseError } from '../ctl-error.js';
import { formatBytes, formatCount } from '../output/quantities.js';
import type { Encoding } from '../settings.js';
import { quoteWord } from './split-words.js';

/** What a shell command works with. */
export interface ShellContext {
  readonly connection: Connection;
  readonly encoding: Encoding;
  readonly signal: AbortSignal;
  /** Writes a line of data; resolves when more may be written. */
  print(line: string): Promise<void>;
}

/** One command. */
export interface ShellCommand {
  readonly usage: string;
  readonly what: string;
  /** How many words it takes behind its name. */
  readonly words: readonly [least: number, most: number];
  run(context: ShellContext, words: readonly Uint8Array[]): Promise<void>;
}

/** More than this from a RANGE needs an explicit limit: nobody reads it. */
const defaultRangeLimit = 100;

/** By name, in the order in which HELP lists them. QUIT and HELP are the shell's own. */
export const shellCommands: Readonly<Record<string, ShellCommand>> = {
  PUT: {
    usage: 'PUT key value [ttl-ms]',
    what: 'set a value',
    words: [2, 3],
    async run({ connection, print }, [key, value, ttl]) {
      const options = ttl === undefined ? {} : { ttlMs: count(ttl, 'ttl-ms') };
      const { revision } = await connection.put(word(key), word(value), options);
      await print(`OK revision ${revision}`);
    },
  },
  GET: {
    usage: 'GET key',
    what: 'show a value',
    words: [1, 1],
    async run({ connection, print, encoding }, [key]) {
      const entry = await connection.get(word(key));
      await print(entry === undefined ? '(not found)' : valueText(entry.value, encoding));
    },
  },
  APPEND: {
    usage: 'APPEND key value',
    what: 'add to the end of a value',
    words: [2, 2],
    async run({ connection, print }, [key, value]) {
      const { revision, valueBytes } = await connection.append(word(key), word(value));
      await print(`OK revision ${revision}, ${valueBytes} bytes`);
    },
  },
  DELETE: {
    usage: 'DELETE key [key ...]',
    what: 'delete keys',
    words: [1, 1000],
    async run({ connection, print }, keys) {
      let deleted = 0;
      for (const key of keys) if ((await connection.delete(key)).deleted) deleted += 1;
      await print(`OK ${deleted} deleted`);
    },
  },
  RANGE: {
    usage: 'RANGE start end [limit]',
    what: `keys from start up to, not including, end (at most ${defaultRangeLimit} without a limit)`,
    words: [2, 3],
    run: (context, [start, end, limit]) => printRange(context, { start: word(start), end: word(end) }, limit),
  },
  PREFIX: {
    usage: 'PREFIX text [limit]',
    what: 'keys that begin so',
    words: [1, 2],
    run: (context, [prefix, limit]) => printRange(context, { prefix: word(prefix) }, limit),
  },
  STATS: {
    usage: 'STATS',
    what: 'how many keys there are and what they take',
    words: [0, 0],
    async run({ connection, print }) {
      const { storage, state } = await connection.status();
      const amount = (name: string) => Number(storage[name] ?? 0);
      await print(`state ${state}`);
      await print(`keys ${formatCount(amount('keys'))}`);
      await print(`live ${formatBytes(amount('liveBytes'))}, dead ${formatBytes(amount('deadBytes'))}`);
      await print(`segments ${formatCount(amount('segments'))}`);
    },
  },
};

/** The text of HELP. */
export function shellHelp(): string {
  const rows = [
    ...Object.values(shellCommands).map(({ usage, what }) => [usage, what] as const),
    ['HELP', 'this text'] as const,
    ['QUIT', 'end (also EXIT, Ctrl-D)'] as const,
  ];
  const width = Math.max(...rows.map(([usage]) => usage.length));
  const lines = rows.map(([usage, what]) => `  ${usage.padEnd(width)}  ${what}`);
  return [
    ...lines,
    'Words with blanks: \'single quotes\' are literal, "double quotes" know \\n \\t \\xHH \\u{…}.',
    'Names of commands may be written small.',
  ].join('\n');
}

async function printRange(
  { connection, print, encoding, signal }: ShellContext,
  range: { readonly start?: Uint8Array; readonly end?: Uint8Array; readonly prefix?: Uint8Array },
  limitWord: Uint8Array | undefined,
): Promise<void> {
  const limit = limitWord === undefined ? defaultRangeLimit : count(limitWord, 'limit');
  // An empty bound is no bound.
  const bounds = Object.fromEntries(Object.entries(range).filter(([, bytes]) => bytes.length > 0));
  let shown = 0;
  let more = false;
  for await (const entry of connection.range({ ...bounds, limit: limit + 1, signal })) {
    if (signal.aborted) break;
    if (shown === limit) {
      more = true;
      break;
    }
    shown += 1;
    await print(entryText(entry, encoding));
  }
  await print(`(${formatCount(shown)} ${shown === 1 ? 'key' : 'keys'}${more ? ', there are more' : ''})`);
}

function entryText(entry: Entry, encoding: Encoding): string {
  return `${quoteWord(entry.key)}  ${cellText(entry.value, encoding, 200)}`;
}

function valueText(value: Uint8Array, encoding: Encoding): string {
  return cellText(value, encoding, Number.MAX_SAFE_INTEGER);
}

function word(bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined) throw new MisuseError('a word is missing');
  return bytes;
}

function count(bytes: Uint8Array, what: string): number {
  const text = Buffer.from(bytes).toString();
  const number = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (number < 1) throw new MisuseError(`${what} '${text}' is not a whole number above 0`);
  return number;
}
