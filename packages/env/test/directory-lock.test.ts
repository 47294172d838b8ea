import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockDirectory } from '../src/node/directory-lock.js';

const script = fileURLToPath(new URL('lock-contender.ts', import.meta.url));

interface Contender {
  readonly child: ChildProcess;
  ask(command: 'lock' | 'release'): Promise<string>;
  kill(): Promise<void>;
}

let directory: string;
const contenders: Contender[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shanghai-lock-'));
});

afterEach(async () => {
  await Promise.all(contenders.splice(0).map((contender) => contender.kill()));
  await rm(directory, { recursive: true });
});

function contend(description = 'a contender'): Contender {
  const child = spawn(process.execPath, ['--import', 'tsx', script, directory, description], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines: Interface = createInterface({ input: child.stdout });
  const contender = {
    child,
    ask: async (command: 'lock' | 'release') => {
      const answer = Promise.race([once(lines, 'line'), exited.then(() => ['exited'])]);
      child.stdin.write(`${command}\n`);
      return String((await answer)[0]);
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
  contenders.push(contender);
  return contender;
}

test('another process is refused while the holder lives, told who that is, and served after the release', async () => {
  const [first, second] = [contend('the first'), contend()];
  expect(await first.ask('lock')).toBe('held');
  expect(await second.ask('lock')).toBe('LOCKED');
  const refusal = lockDirectory(directory);
  await expect(refusal).rejects.toThrow(`locked by 'the first' (pid ${first.child.pid} on host `);
  expect(await first.ask('release')).toBe('free');
  expect(await second.ask('lock')).toBe('held');
  expect(await second.ask('release')).toBe('free');
  expect(await readdir(directory)).toEqual([]);
});

test('a holder killed with -9 frees the directory at once, and what it left is cleaned up', async () => {
  const first = contend();
  expect(await first.ask('lock')).toBe('held');
  await first.kill();
  expect((await readdir(directory)).length).toBe(2);
  const lock = await lockDirectory(directory);
  expect((await readdir(directory)).length).toBe(2);
  await lock.release();
  expect(await readdir(directory)).toEqual([]);
});

test('a stopped holder still holds', async () => {
  const first = contend();
  expect(await first.ask('lock')).toBe('held');
  first.child.kill('SIGSTOP');
  for (let i = 0; i < 5; i++) await expect(lockDirectory(directory)).rejects.toMatchObject({ code: 'LOCKED' });
  first.child.kill('SIGCONT');
});

test('of processes that start at once over what a killed one left, exactly one wins', {
  timeout: 300_000,
}, async () => {
  const rounds = process.env['SHANGHAI_DEEP'] === '1' ? 100 : 5;
  let racers = Array.from({ length: 4 }, () => contend());
  for (let round = 0; round < rounds; round++) {
    // Wait until all of them run, so that they do start at once.
    await Promise.all(racers.map((racer) => racer.ask('release')));
    const answers = await Promise.all(racers.map((racer) => racer.ask('lock')));
    expect([...answers].sort(), `round ${round}`).toEqual(['LOCKED', 'LOCKED', 'LOCKED', 'held']);
    const winner = racers[answers.indexOf('held')] as Contender;
    await winner.kill();
    racers = racers.map((racer) => (racer === winner ? contend() : racer));
  }
});
