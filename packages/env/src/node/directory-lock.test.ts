import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LockError } from '../directory-lock.js';
import { lockDirectory } from './directory-lock.js';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shanghai-lock-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

const record = {
  id: '0123456789abcdef',
  pid: 17,
  startedMs: 1,
  bootId: 'another boot',
  host: 'elsewhere',
  description: 'a server',
};

const leave = (changes: Partial<typeof record>) =>
  writeFile(join(directory, 'lock.json'), JSON.stringify({ ...record, ...changes }));

test('of many contenders in one process exactly one wins, every time', async () => {
  for (let round = 0; round < 10; round++) {
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => lockDirectory(directory)));
    const won = results.filter((result) => result.status === 'fulfilled');
    expect(won.length).toBe(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'LOCKED' });
    }
    await won[0]?.value.release();
    expect(await readdir(directory)).toEqual([]);
  }
});

test('a path far longer than a socket address can be is locked', async () => {
  const deep = join(directory, ...Array.from({ length: 10 }, () => 'a-name-of-forty-characters-or-so-repeated'));
  await mkdir(deep, { recursive: true });
  const lock = await lockDirectory(deep);
  await expect(lockDirectory(deep)).rejects.toMatchObject({ code: 'LOCKED' });
  await lock.release();
  await (await lockDirectory(deep)).release();
});

test('the record tells who holds the directory', async () => {
  const lock = await lockDirectory(directory, { description: 'the tests' });
  const standing = JSON.parse(await readFile(join(directory, 'lock.json'), 'utf8'));
  expect(standing).toMatchObject({ pid: process.pid, host: hostname(), description: 'the tests' });
  const refusal = await lockDirectory(directory).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(LockError);
  expect(refusal).toMatchObject({ code: 'LOCKED', details: { directory, pid: process.pid, description: 'the tests' } });
  await lock.release();
});

test('a record of another host refuses, names that host, and yields to breakLock', async () => {
  await leave({});
  const refusal = lockDirectory(directory);
  await expect(refusal).rejects.toMatchObject({ code: 'LOCKED_BY_OTHER_HOST', details: { host: 'elsewhere' } });
  await expect(refusal).rejects.toThrow(/'a server' \(pid 17 on host elsewhere\)/);
  expect(await readdir(directory)).toEqual(['lock.json']);
  const lock = await lockDirectory(directory, { breakLock: true });
  expect(JSON.parse(await readFile(join(directory, 'lock.json'), 'utf8'))).toMatchObject({ host: hostname() });
  await lock.release();
});

test('breakLock does not break the lock of a live holder on this host', async () => {
  const lock = await lockDirectory(directory);
  await expect(lockDirectory(directory, { breakLock: true })).rejects.toMatchObject({ code: 'LOCKED' });
  await lock.release();
});

test('records of this host before it was started again, of its containers, and torn ones, hold nothing', async () => {
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  await leave({ host: hostname() });
  await (await lockDirectory(directory)).release();
  await leave({ bootId, host: 'a-container' });
  await (await lockDirectory(directory)).release();
  for (const torn of ['', '{"id":"0123', 'null', '{}']) {
    await writeFile(join(directory, 'lock.json'), torn);
    await (await lockDirectory(directory)).release();
  }
});

test('sockets that others left dead are removed, foreign files are not', async () => {
  for (const name of ['lock-00000000000000aa.new', 'lock-00000000000000ab.sock']) {
    await writeFile(join(directory, name), '');
  }
  await writeFile(join(directory, 'locksmith'), '');
  await (await lockDirectory(directory)).release();
  expect(await readdir(directory)).toEqual(['locksmith']);
});

test('a contender that never decides is waited for only so long', async () => {
  const server = createServer().listen(join(directory, 'lock-0000000000000000.sock'));
  await new Promise((resolve) => server.once('listening', resolve));
  await expect(lockDirectory(directory, {}, 30)).rejects.toThrow(/another process that is starting/);
  expect(await readdir(directory)).toEqual(['lock-0000000000000000.sock']);
  await new Promise((resolve) => server.close(resolve));
});

test('a directory that is missing or a file is refused with the reason', async () => {
  const missing = join(directory, 'none');
  await expect(lockDirectory(missing)).rejects.toMatchObject({ code: 'LOCK_FAILED', details: { errno: 'ENOENT' } });
  await writeFile(missing, '');
  await expect(lockDirectory(missing)).rejects.toMatchObject({ code: 'LOCK_FAILED' });
});

test('a file system that refuses sockets is named as such', async () => {
  await expect(lockDirectory('/proc')).rejects.toMatchObject({ code: expect.stringMatching(/^LOCK_/) });
  await expect(lockDirectory('/proc')).rejects.toThrow(/cannot lock directory '\/proc'/);
});
