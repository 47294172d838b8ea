/** The shell: a script from standard input, or a conversation with history and completion on a terminal. */
import type { Action, CommandContext } from '../command-host.js';
import { inputChunks } from '../commands/input-value.js';
import { codeOf } from '../exit-codes.js';
import { textLines } from '../import/text-lines.js';
import { writeOut } from '../terminal.js';
import { runLine } from './run-line.js';
import type { ShellContext } from './shell-commands.js';

/** `shell` */
export const runShell: Action = async (context, _values, flags) => {
  const shell: ShellContext = {
    connection: await context.connect({ sessions: true }),
    encoding: context.settings.encoding,
    signal: context.signal,
    print: (line) => writeOut(context.terminal.stdout, `${line}\n`),
  };
  if (context.terminal.stdin.isTTY === true) {
    const { converse } = await import('./converse.js');
    await converse(context, shell);
  } else {
    await runScript(context, shell, flags['keepGoing'] === true);
  }
};

async function runScript(context: CommandContext, shell: ShellContext, keepGoing: boolean): Promise<void> {
  let firstFailure: unknown;
  for await (const { text, number } of textLines(inputChunks(context, '-'))) {
    if (context.signal.aborted) return;
    try {
      if ((await runLine(text, shell)) === 'quit') break;
    } catch (error) {
      if (!keepGoing) {
        context.terminal.stderr.write(`line ${number}: ${text.trim()}\n`);
        throw error;
      }
      firstFailure ??= error;
      const message = error instanceof Error ? error.message : String(error);
      context.terminal.stderr.write(`line ${number}: ${message} (${codeOf(error)})\n`);
    }
  }
  if (firstFailure !== undefined) throw firstFailure;
}
