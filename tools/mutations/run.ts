/**
 * `npm run mutations [name …]`: plants each bug of the list in a copy of the tree, runs the tests that should notice it,
 * and demands that one of them fails: a test, by an assertion or an error of ours, not a file that does not compile and
 * not a test that hangs. The same tests must pass without the bug, or they prove nothing.
 *
 * Ends with 1 where a bug survives, or where its `find` no longer stands in its file exactly once: a list that has gone
 * stale proves nothing either. A part of a name selects all that hold it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { allMutations } from './all-mutations.js';
import type { Mutation } from './mutation.js';
import { type TestReport, type Verdict, verdictOf } from './verdict.js';

/** What came of one mutation. */
interface Outcome {
  readonly mutation: Mutation;
  readonly verdict: Verdict;
  readonly seconds: number;
}

const copies = 2;
const testTimeoutMs = 60_000;
/** A process that spins hears of no timeout: it is ended from outside. */
const hangMs = 300_000;
const running = new Set<ChildProcess>();
const root = fileURLToPath(new URL('../..', import.meta.url));
/** Seeds are the tests' own defaults, and their short variants run. */
const { SHANGHAI_SEED: _seed, SHANGHAI_DEEP: _deep, ...env } = process.env;

/** A copy of the sources under `directory`, with the installed modules of this tree. */
async function copyTree(directory: string): Promise<string> {
  const skipped = /(?:^|\/)(?:dist|coverage|\.turbo|\.cache)(?:\/|$)/;
  const copy = (path: string) =>
    cp(join(root, path), join(directory, path), {
      recursive: true,
      // Links of workspace packages stay within the copy.
      verbatimSymlinks: true,
      filter: (source) => !skipped.test(relative(root, source)),
    });
  const sources = ['packages', 'apps/server', 'proto', 'tools'];
  for (const path of [...sources, 'vitest.config.ts', 'package.json', 'tsconfig.base.json']) await copy(path);
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  return directory;
}

async function runTests(directory: string, tests: readonly string[], named?: string): Promise<TestReport> {
  const output = join(directory, 'report.json');
  await rm(output, { force: true });
  const vitest = join(directory, 'node_modules/vitest/vitest.mjs');
  const filter = named === undefined ? [] : ['-t', named];
  const flags = ['--root', directory, '--reporter=json', `--outputFile=${output}`, `--testTimeout=${testTimeoutMs}`];
  const args = [vitest, 'run', ...tests, ...flags, '--maxWorkers=1', '--bail=1', ...filter];
  const child = spawn(process.execPath, args, {
    cwd: directory,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => (said = `${said}${chunk}`.slice(-4000)));
  running.add(child);
  const ending = { isDue: false };
  const timer = setTimeout(() => {
    ending.isDue = true;
    endAll(child);
  }, hangMs);
  await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(timer);
  running.delete(child);
  if (ending.isDue) return hung(tests);
  try {
    return JSON.parse(await readFile(output, 'utf8')) as TestReport;
  } catch (error) {
    throw new Error(`the tests ${tests.join(', ')} left no report:\n${said}`, { cause: error });
  }
}

/** Ends a process and what it has started, which are a group of their own. */
function endAll({ pid }: ChildProcess): void {
  if (pid !== undefined) process.kill(-pid, 'SIGKILL');
}

function hung(tests: readonly string[]): TestReport {
  const message = `it hung, and was ended after ${hangMs / 1000} s`;
  return { testResults: [{ name: tests.join(', '), status: 'failed', message, assertionResults: [] }] };
}

async function tryMutation(directory: string, mutation: Mutation): Promise<Verdict> {
  const path = join(directory, mutation.file);
  const source = await readFile(path, 'utf8');
  const places = source.split(mutation.find).length - 1;
  if (places !== 1) return { kind: 'stale', why: `its text occurs ${places} times in ${mutation.file}` };
  await writeFile(
    path,
    source.replace(mutation.find, () => mutation.replace),
  );
  try {
    return verdictOf(await runTests(directory, mutation.tests, mutation.named));
  } finally {
    await writeFile(path, source);
  }
}

/** What fails without any bug. */
async function sickTests(directory: string, mutations: readonly Mutation[]): Promise<readonly string[]> {
  const whole = new Set(mutations.filter(({ named }) => named === undefined).flatMap(({ tests }) => tests));
  const parts = new Map<string, string[]>();
  for (const { tests, named } of mutations) {
    for (const file of tests) {
      if (named !== undefined && !whole.has(file)) parts.set(file, [...(parts.get(file) ?? []), named]);
    }
  }
  const runs: (readonly [readonly string[], string?])[] = whole.size > 0 ? [[[...whole]]] : [];
  for (const [file, names] of parts) runs.push([[file], names.join('|')]);
  const sick: string[] = [];
  for (const [tests, named] of runs) {
    const verdict = verdictOf(await runTests(directory, tests, named));
    if (verdict.kind !== 'survived') sick.push(`${tests.join(', ')}: ${verdict.why}`);
  }
  return sick;
}

async function main(words: readonly string[]): Promise<number> {
  const unknown = words.filter((word) => !allMutations.some(({ name }) => name.includes(word)));
  if (unknown.length > 0) {
    console.error(
      `no mutation is called ${unknown.join(', ')}; there are:\n${allMutations.map(({ name }) => name).join('\n')}`,
    );
    return 2;
  }
  const chosen = allMutations.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
  const parent = await mkdtemp(join(tmpdir(), 'shanghai-mutations-'));
  const startedMs = performance.now();
  try {
    const directories = await Promise.all(
      Array.from({ length: Math.min(copies, chosen.length) }, (_, i) => copyTree(join(parent, String(i)))),
    );
    const outcomes = await tryAll(directories, chosen);
    const sick = await sickTests(directories[0] as string, chosen);
    report(outcomes, sick, performance.now() - startedMs);
    return sick.length > 0 || outcomes.some(({ verdict }) => verdict.kind !== 'caught') ? 1 : 0;
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

async function tryAll(directories: readonly string[], mutations: readonly Mutation[]): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const waiting = [...mutations];
  const worker = async (directory: string) => {
    for (let mutation = waiting.shift(); mutation !== undefined; mutation = waiting.shift()) {
      const startedMs = performance.now();
      const verdict = await tryMutation(directory, mutation);
      const seconds = (performance.now() - startedMs) / 1000;
      outcomes.push({ mutation, verdict, seconds });
      console.log(`${outcomes.length}/${mutations.length} ${verdict.kind} ${mutation.name} (${seconds.toFixed(1)} s)`);
    }
  };
  await Promise.all(directories.map(worker));
  return outcomes;
}

function report(outcomes: readonly Outcome[], sick: readonly string[], durationMs: number): void {
  const width = Math.max(...outcomes.map(({ mutation }) => mutation.name.length));
  const sorted = [...outcomes].sort((a, b) => (a.mutation.name < b.mutation.name ? -1 : 1));
  console.log('');
  for (const { mutation, verdict, seconds } of sorted) {
    console.log(
      `${verdict.kind.padEnd(8)} ${mutation.name.padEnd(width)} ${seconds.toFixed(1).padStart(6)} s  ${verdict.why}`,
    );
  }
  for (const one of sick) console.log(`without any bug fails: ${one}`);
  const caught = outcomes.filter(({ verdict }) => verdict.kind === 'caught').length;
  console.log(`\n${caught} of ${outcomes.length} caught, ${(durationMs / 1000).toFixed(0)} s`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    for (const child of running) endAll(child);
    process.exit(1);
  });
}
process.exitCode = await main(process.argv.slice(2));
