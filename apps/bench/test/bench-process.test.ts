/** The built program as users run it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));
let directory: string;

beforeAll(async () => {
  if (!existsSync(program)) throw new Error(`${program} is missing; build first: pnpm build`);
  directory = await mkdtemp(join(tmpdir(), 'shanghai-bench-test-'));
});
afterAll(() => rm(directory, { recursive: true }));

function start(...args: string[]) {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    output.stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output.stderr += chunk.toString();
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...output }));
  return { child, ended };
}

const brief = ['--rounds', '1', '--seconds', '0.05'];

test('with --json standard output is the report and nothing else, and nothing is left behind', async () => {
  const { code, stdout, stderr } = await start('wal', ...brief, '--only', 'x16', '--json', '--directory', directory)
    .ended;
  expect(stderr).toContain('round 1/1  append x16');
  expect(code).toBe(0);
  const report = JSON.parse(stdout) as { cases: { name: string; operations: number; errors: number }[] };
  expect(report).toMatchObject({ suite: 'wal', syncMode: 'always', settings: { rounds: 1, seconds: 0.05 } });
  expect(report.cases.map(({ name, errors }) => [name, errors])).toEqual([
    ['append x16', 0],
    ['batch 100 x16', 0],
  ]);
  expect(report.cases[0]?.operations).toBeGreaterThan(0);
  expect(await readdir(directory)).toEqual([]);
});

test('the store is loaded, read, closed and opened again with every key', async () => {
  const args = ['bitcask', ...brief, '--keys', '2000', '--peers', 'none', '--json', '--directory', directory];
  const { code, stdout, stderr } = await start(...args).ended;
  expect(stderr).toContain('reopen');
  expect(code).toBe(0);
  const { cases } = JSON.parse(stdout) as { cases: { name: string; operations: number }[] };
  expect(cases.find(({ name }) => name === 'reopen')?.operations).toBe(2_000);
  expect(await readdir(directory)).toEqual([]);
});

test('a report is compared with another; a slower case is exit code 3', async () => {
  const args = ['wal', ...brief, '--only', 'append x16', '--json', '--directory', directory];
  const { stdout } = await start(...args).ended;
  const fast = await mkdtemp(join(tmpdir(), 'shanghai-bench-reports-'));
  try {
    const [now, better] = [join(fast, 'now.json'), join(fast, 'better.json')];
    const report = JSON.parse(stdout) as { cases: { perSecond: number; perSecondOfRounds: number[] }[] };
    await writeFile(now, stdout);
    for (const each of report.cases) {
      each.perSecond *= 1e6;
      each.perSecondOfRounds = each.perSecondOfRounds.map((rate) => rate * 1e6);
    }
    await writeFile(better, JSON.stringify(report));
    expect(await start('compare', now, now).ended).toMatchObject({ code: 0 });
    expect(await start('compare', now, better).ended).toMatchObject({ code: 0 });
    const slower = await start('compare', better, now).ended;
    expect(slower.code).toBe(3);
    expect(slower.stdout).toContain('SLOWER append x16');
    expect(await start(...args, '--baseline', better).ended).toMatchObject({ code: 3 });
    const missing = await start(...args, '--baseline', join(fast, 'none')).ended;
    expect(missing).toMatchObject({ code: 1, stdout: '' });
  } finally {
    await rm(fast, { recursive: true });
  }
});

test('peers are measured in processes of their own, in the same round', async () => {
  const args = ['bitcask', ...brief, '--keys', '1000', '--peers', 'classic-level,lmdb', '--only', 'scan merged,reopen'];
  const { code, stdout } = await start(...args, '--json', '--directory', directory).ended;
  expect(code).toBe(0);
  const { cases, targets } = JSON.parse(stdout) as { cases: { name: string; operations: number }[]; targets: unknown };
  const operations = Object.fromEntries(cases.map((each) => [each.name, each.operations]));
  expect(operations).toMatchObject({ 'scan merged (lmdb)': 1_000, 'reopen (classic-level)': 1_000 });
  expect(targets).toContainEqual(expect.objectContaining({ name: 'scan merged : scan merged (classic-level)' }));
  expect(await readdir(directory)).toEqual([]);
});

test('an interrupt ends it with 130, and takes its directory and its children away', async () => {
  const { child, ended } = start('server', '--seconds', '60', '--only', 'pipeline', '--directory', directory);
  for await (const chunk of child.stderr) if (String(chunk).includes('disk:')) break;
  expect(await readdir(directory)).toHaveLength(1);
  child.kill('SIGINT');
  // Streams close when the last process that writes into them has gone.
  expect((await ended).code).toBe(130);
  expect(await readdir(directory)).toEqual([]);
});

test('a reader that goes away before the report leaves nothing behind', async () => {
  const { child, ended } = start('wal', ...brief, '--only', 'x16', '--directory', directory);
  child.stdout.destroy();
  expect((await ended).code).not.toBe(0);
  expect(await readdir(directory)).toEqual([]);
});

test('a suite, an option or a case that does not exist is said, with exit code 1', async () => {
  expect(await start('toaster').ended).toMatchObject({ code: 1, stdout: '' });
  expect(await start('wal', '--seconds', '-1').ended).toMatchObject({ code: 1, stdout: '' });
  const { code, stderr } = await start('wal', ...brief, '--only', 'nothing', '--directory', directory).ended;
  expect(code).toBe(1);
  expect(stderr).toContain("no case of 'wal' has 'nothing' in its name");
  expect(await readdir(directory)).toEqual([]);
});
