import { MisuseError } from '../ctl-error.js';
import { type ShellContext, shellCommands, shellHelp } from './shell-commands.js';
import { splitWords } from './split-words.js';

/**
 * Runs one line. Resolves to `'quit'` where it says so; blank lines and comments do nothing. Rejects with a usage error
 * where it is not a command, or with what the command failed with.
 */
export async function runLine(line: string, context: ShellContext): Promise<'quit' | 'next'> {
  if (line.trim() === '' || line.trimStart().startsWith('#')) return 'next';
  const [first, ...words] = splitWords(line);
  const name = Buffer.from(first ?? []).toString();
  const upper = name.toUpperCase();
  if (upper === 'QUIT' || upper === 'EXIT') return 'quit';
  if (upper === 'HELP') {
    await context.print(shellHelp());
    return 'next';
  }
  const command = Object.hasOwn(shellCommands, upper) ? shellCommands[upper] : undefined;
  if (command === undefined) throw new MisuseError(`there is no command '${name}'; HELP lists them`);
  const [least, most] = command.words;
  if (words.length < least || words.length > most) throw new MisuseError(`usage: ${command.usage}`);
  await command.run(context, words);
  return 'next';
}
