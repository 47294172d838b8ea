/** The shell on a terminal: prompt, history, completion. A failed command is told and the conversation goes on. */
import { createInterface, type Interface } from 'node:readline';
import type { CommandContext } from '../command-host.js';
import { codeOf } from '../exit-codes.js';
import { completeLine } from './complete-line.js';
import { historyPath, readHistory, writeHistory } from './history-file.js';
import { runLine } from './run-line.js';
import type { ShellContext } from './shell-commands.js';

/** Talks until QUIT, Ctrl-D, or Ctrl-C on an empty line. */
export async function converse(context: CommandContext, shell: ShellContext): Promise<void> {
  const { terminal, settings } = context;
  const path = historyPath(terminal);
  context.print.note(`Connected to ${settings.endpoints.join(', ')}. HELP lists the commands, QUIT ends.`);
  const lines = createInterface({
    input: terminal.stdin,
    output: terminal.stdout,
    prompt: 'shanghai> ',
    history: readHistory(path),
    historySize: 1000,
    removeHistoryDuplicates: true,
    completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
      completeLine(line, shell.connection).then(
        (result) => done(null, result),
        // A completion that cannot be had is no completion.
        () => done(null, [[], line]),
      );
    },
  });
  let history: readonly string[] = [];
  lines.on('history', (changed: string[]) => {
    history = [...changed];
  });
  // On a terminal Ctrl-C reaches readline, not the process: it clears the line, and ends on an empty one.
  lines.on('SIGINT', () => {
    if (lines.line === '') lines.close();
    else lines.write(null, { ctrl: true, name: 'u' });
  });
  try {
    await talk(lines, context, shell);
  } finally {
    lines.close();
    if (history.length > 0) writeHistory(path, history);
  }
}

async function talk(lines: Interface, context: CommandContext, shell: ShellContext): Promise<void> {
  lines.prompt();
  for await (const line of lines) {
    try {
      if ((await runLine(line, shell)) === 'quit') return;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      context.terminal.stderr.write(`${message} (${codeOf(error)})\n`);
    }
    lines.prompt();
  }
  context.terminal.stdout.write('\n');
}
