import type { Connection } from '../connection.js';
import { shellCommands } from './shell-commands.js';
import { quoteWord, splitWords } from './split-words.js';

/** More keys than these are not offered. */
const maxKeys = 50;

/** Commands whose words are keys, and which word may be one. */
const keyWords: Readonly<Record<string, number>> = {
  PUT: 1,
  GET: 1,
  APPEND: 1,
  DELETE: Number.POSITIVE_INFINITY,
  RANGE: 2,
  PREFIX: 1,
};

/** What a line may go on with: names of commands first, then keys that the store has. In the form readline wants. */
export async function completeLine(line: string, connection: Connection): Promise<[string[], string]> {
  const start = line.search(/\S*$/);
  const begun = line.slice(start);
  const before = line.slice(0, start).trim();
  if (before === '') {
    const names = [...Object.keys(shellCommands), 'HELP', 'QUIT'];
    return [names.filter((name) => name.startsWith(begun.toUpperCase())).map((name) => `${name} `), begun];
  }
  const words = splitWords(before);
  const command = Buffer.from(words[0] ?? [])
    .toString()
    .toUpperCase();
  // A word in quotes is not completed: its beginning is not the key's.
  if (words.length > (keyWords[command] ?? 0) || /['"\\]/.test(begun)) return [[], begun];
  const found: string[] = [];
  const prefix = new TextEncoder().encode(begun);
  for await (const { key } of connection.range({ prefix, keysOnly: true, limit: maxKeys })) {
    const word = quoteWord(key);
    if (word.startsWith(begun)) found.push(word);
  }
  return [found, begun];
}
