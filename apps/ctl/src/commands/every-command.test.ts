import type { Command } from 'commander';
import { expect, test } from 'vitest';
import type { Host } from '../command-host.js';
import { allCommands, commandTree } from '../completion/command-tree.js';
import { buildProgram } from '../program.js';
import { runCommand } from '../testing/run-command.js';

const paths = allCommands(commandTree(buildProgram({ version: '1.2.3', terminal: { stdout: {}, stderr: {} } } as Host)))
  .map(({ path }) => path)
  .filter((path) => path[0] !== 'help');

test.each(paths)('help of "%s %s" has a description, examples that parse, and exit codes', async (...path) => {
  const { code, stdout } = await runCommand([...path.filter((word) => word !== undefined), '--help']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/Usage: shanghaictl/);
  expect(stdout).toMatch(/Examples:\n {2}\$ /);
  expect(stdout).toMatch(/Exit codes:/);
});

test('every example of every help names a command that exists with options that exist', () => {
  for (const path of paths) {
    const program = buildProgram({ version: '1.2.3', terminal: { stdout: {}, stderr: {} } } as Host);
    const command = path.reduce<Command>(
      (above, name) => above.commands.find((each) => each.name() === name) ?? above,
      program,
    );
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) });
    command.outputHelp();
    for (const [, example = ''] of help.matchAll(/^ {2}\$ .*?\bshanghaictl (.*)$/gm)) {
      const words = example.replace(/^(?:--\w+ \S+ )/, '').split(/\s+/);
      let found: Command = program;
      let next = found;
      while (next !== undefined) {
        found = next;
        next = found.commands.find((each) => each.name() === words[0]) as Command;
        if (next !== undefined) words.shift();
      }
      expect([example, found === program]).toEqual([example, false]);
      for (const option of example.match(/(?<=\s)--[a-z][\w-]*/g) ?? []) {
        const known = [...found.options, ...program.options].map(({ long }) => long);
        expect(known, `${option} in '${example}'`).toContain(option);
      }
    }
  }
});
