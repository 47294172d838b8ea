import type { Command } from 'commander';

/** Adds examples (command line and, optionally, what it does) and the exit codes worth knowing to a command's help. */
export function help(command: Command, examples: readonly string[], exits: readonly string[] = []): Command {
  const lines = ['', 'Examples:', ...examples.map((example) => `  $ ${example}`)];
  const codes = ['0 done', '2 wrong usage', ...exits];
  lines.push(
    '',
    `Exit codes: ${codes.join(', ')}.`,
    "All of them, and the environment variables: 'shanghaictl --help'.",
  );
  return command.addHelpText('after', lines.join('\n'));
}

/** Exit codes that every command which talks to a node may have. */
export const remoteExits: readonly string[] = ['14 outcome unknown', '15 deadline exceeded', '17 node unavailable'];
