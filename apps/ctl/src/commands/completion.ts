import type { Command } from 'commander';
import { type Host, runWith } from '../command-host.js';
import { usageError } from '../ctl-error.js';
import { help } from './command-help.js';

/** Adds `completion`. */
export function addCompletionCommand(program: Command, host: Host): void {
  const completion = program
    .command('completion')
    .description('print a script that completes commands and options in your shell')
    .argument('<shell>', 'bash, zsh or fish');
  help(
    runWith(completion, host, async (context, values) => {
      const { commandTree } = await import('../completion/command-tree.js');
      const { completionScript, completionShells } = await import('../completion/completion-scripts.js');
      const shell = completionShells.find((name) => name === values[0]);
      if (shell === undefined) throw usageError(`shell '${values[0]}' is not one of ${completionShells.join(', ')}`);
      await context.print.raw(completionScript(shell, commandTree(program)));
    }),
    [
      'eval "$(shanghaictl completion bash)"',
      'shanghaictl completion zsh > ~/.zfunc/_shanghaictl',
      'shanghaictl completion fish > ~/.config/fish/completions/shanghaictl.fish',
    ],
  );
}
