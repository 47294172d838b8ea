import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { runCommand } from '../testing/run-command.js';

const script = async (shell: string) => (await runCommand(['completion', shell])).stdout;

/** What bash would offer behind these words, the last of them being typed. */
async function offered(...words: string[]): Promise<string[]> {
  const setUp = `${await script('bash')}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _shanghaictl; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const run = spawnSync('bash', ['--norc', '-c', setUp], { encoding: 'utf8' });
  expect(run.stderr).toBe('');
  return run.stdout.split('\n').filter((line) => line !== '');
}

test('the bash script is valid bash', async () => {
  const run = spawnSync('bash', ['-n'], { input: await script('bash'), encoding: 'utf8' });
  expect(run).toMatchObject({ status: 0, stderr: '' });
});

test.each(['zsh', 'fish'])('the %s script is valid where that shell is installed', async (shell) => {
  const run = spawnSync(shell, ['-n'], { input: await script(shell), encoding: 'utf8' });
  if (run.error === undefined) expect(run).toMatchObject({ status: 0, stderr: '' });
  for (const word of ['status', 'import', 'rebuild-hints', 'completion']) expect(await script(shell)).toContain(word);
});

test('bash completes commands, sub-commands, options and the values of options', async () => {
  expect(await offered('shanghaictl', 'st')).toEqual(['status']);
  expect(await offered('shanghaictl', 'kv', 'ex')).toEqual(['export']);
  expect(await offered('shanghaictl', 'kv', '')).toEqual(expect.arrayContaining(['get', 'put', 'import']));
  expect(await offered('shanghaictl', 'kv', 'import', '--key-')).toEqual(['--key-field', '--key-template']);
  expect(await offered('shanghaictl', '--output', '')).toEqual(['table', 'json', 'yaml']);
  expect(await offered('shanghaictl', '-o', 'json', 'log', 'ta')).toEqual(['tail']);
  expect(await offered('shanghaictl', 'kv', 'get', '--outp')).toEqual(['--output']);
});

test('bash offers files, not our words, where an argument or a value is free', async () => {
  expect(await offered('shanghaictl', 'kv', 'import', '')).toEqual([]);
  expect(await offered('shanghaictl', 'kv', 'put', 'a', '--file', '')).toEqual([]);
});

test('a shell that is not served is refused', async () => {
  expect((await runCommand(['completion', 'tcsh'])).code).toBe(2);
});
