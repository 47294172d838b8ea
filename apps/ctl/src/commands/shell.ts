import type { Command } from 'commander';
import { type Host, runWith } from '../command-host.js';
import { help, remoteExits } from './command-help.js';

/** Adds `shell`. */
export function addShellCommand(program: Command, host: Host): void {
  const shell = program
    .command('shell')
    .description('type commands one after the other (PUT, GET, RANGE …), or run a script from standard input')
    .option('--keep-going', 'a script goes on behind a failed line (the exit code is still that of the first failure)')
    .addHelpText(
      'after',
      '\nIn the shell HELP lists its commands; TAB completes commands and keys; QUIT or Ctrl-D ends it.\nIn a script a line is a command; blank lines and lines that begin with # are passed over.',
    );
  help(
    runWith(shell, host, async (...run) => (await import('../shell/run-shell.js')).runShell(...run)),
    ['shanghaictl shell', "printf 'PUT a 1\\nGET a\\n' | shanghaictl shell", 'shanghaictl shell < fill.txt'],
    remoteExits,
  );
}
