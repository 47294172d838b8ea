import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, expect, test } from 'vitest';
import { createMemoryDirectory } from '../testing/memory-tools.js';
import { runCommand } from '../testing/run-command.js';

const path = mkdtempSync(`${tmpdir()}/ctl-offline-`);
afterAll(() => rmSync(path, { recursive: true }));

const damage = { file: '00000000000000000001.wal', offset: 4096, bytes: 17, what: 'checksum does not match' };

test.each([
  ['wal', 'verify'],
  ['bitcask', 'verify'],
  ['bitcask', 'rebuild-hints'],
])('%s %s says that all is well, or where the damage is with exit code 19', async (family, name) => {
  const directory = createMemoryDirectory();
  expect(await runCommand([family, name, path], { directory })).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^Damage +none$/m),
  });
  directory.problems = [damage];
  const damaged = await runCommand([family, name, path, '-o', 'json'], { directory });
  expect(damaged.code).toBe(19);
  expect(JSON.parse(damaged.stdout)).toMatchObject({ problems: [damage] });
  expect(JSON.parse(damaged.stderr).error.details).toEqual({ problems: [damage] });
});

test('a torn tail is told and is no damage', async () => {
  const directory = createMemoryDirectory();
  directory.tornTail = { segment: damage.file, offset: 4096 };
  const result = await runCommand(['wal', 'verify', path], { directory });
  expect(result.code).toBe(0);
  expect(result.stdout).toMatch(/^Torn tail +00000000000000000001\.wal at 4096; opening cuts it/m);
});

test.each([
  ['wal', 'verify'],
  ['wal', 'dump'],
  ['wal', 'repair', '--truncate-tail', '--yes'],
  ['wal', 'repair', '--salvage', 'out'],
  ['bitcask', 'verify'],
  ['bitcask', 'stats'],
  ['bitcask', 'merge'],
  ['bitcask', 'snapshot', 'x'],
  ['bitcask', 'rebuild-hints'],
])(
  '%s %s refuses a directory that a server holds, with exit code 17, and does nothing',
  async (family, name, ...options) => {
    const directory = createMemoryDirectory();
    directory.locked = true;
    const result = await runCommand([family, name, path, ...options], { directory });
    expect(result.code).toBe(17);
    expect(result.stderr).toContain('locked by pid 1');
    expect(directory.done).toEqual([]);
  },
);

test.each(['wal verify', 'wal dump', 'bitcask verify', 'bitcask stats', 'bitcask merge', 'bitcask rebuild-hints'])(
  '%s of a path that is no directory is exit code 1 and makes none',
  async (command) => {
    const directory = createMemoryDirectory();
    expect((await runCommand([...command.split(' '), `${path}/none`], { directory })).code).toBe(1);
    expect((await runCommand([...command.split(' '), import.meta.filename], { directory })).code).toBe(1);
    expect(directory.done).toEqual([]);
  },
);

test('wal dump shows records between bounds, in the encoding asked for', async () => {
  const directory = createMemoryDirectory();
  directory.records = [1, 2, 3].map((lsn) => ({
    lsn,
    stream: lsn % 2,
    kind: 4,
    wallTimeMs: 1_700_000_000_000,
    payload: new Uint8Array([255, lsn]),
  }));
  const lines = async (...options: string[]) =>
    (await runCommand(['wal', 'dump', path, ...options], { directory })).stdout.trimEnd().split('\n');
  expect(await lines()).toHaveLength(3);
  expect(await lines('--from', '2', '--to', '3', '--encoding', 'hex')).toEqual([
    '2  stream 0  kind 4  2023-11-14T22:13:20.000Z  2 B  ff02',
  ]);
  expect((await lines('--stream', '1', '-o', 'json')).map((line) => JSON.parse(line))).toEqual([
    { lsn: 1, stream: 1, kind: 4, wallTimeMs: 1_700_000_000_000, bytes: 2, payload: '/wE=', payloadEncoding: 'base64' },
    { lsn: 3, stream: 1, kind: 4, wallTimeMs: 1_700_000_000_000, bytes: 2, payload: '/wM=', payloadEncoding: 'base64' },
  ]);
  expect(await lines('--limit', '1', '--no-payload')).toEqual(['1  stream 1  kind 4  2023-11-14T22:13:20.000Z  2 B']);
});

test('wal dump goes on behind damage, tells it on stderr and is exit code 19', async () => {
  const directory = createMemoryDirectory();
  directory.records = [{ lsn: 1, stream: 0, kind: 0, wallTimeMs: 1, payload: new Uint8Array() }];
  directory.problems = [damage];
  const result = await runCommand(['wal', 'dump', path], { directory });
  expect(result.code).toBe(19);
  expect(result.stdout.split('\n')).toHaveLength(2);
  expect(result.stderr).toContain('damage: 00000000000000000001.wal at 4096, 17 bytes: checksum does not match');
});

test('wal repair must be told how and, where it changes the directory, be confirmed', async () => {
  const directory = createMemoryDirectory();
  expect((await runCommand(['wal', 'repair', path], { directory })).code).toBe(2);
  expect(
    (await runCommand(['wal', 'repair', path, '--truncate-tail', '--salvage', 'x', '-y'], { directory })).code,
  ).toBe(2);
  expect((await runCommand(['wal', 'repair', path, '--truncate-tail'], { directory })).code).toBe(2);
  expect(directory.done).toEqual([]);
  const sound = await runCommand(['wal', 'repair', path, '--truncate-tail', '-y'], { directory });
  expect(sound).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Changed +no: nothing was damaged$/m) });
  directory.problems = [damage];
  const cut = await runCommand(['wal', 'repair', path, '--truncate-tail', '-y'], { directory });
  expect(cut).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Copy +1\.damaged$/m) });
  const salvaged = await runCommand(['wal', 'repair', path, '--salvage', 'out'], { directory });
  expect(salvaged).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Lost +LSN 3 to 4$/m) });
  expect(directory.done).toEqual(['wal truncate-tail', 'wal truncate-tail', 'wal salvage out']);
});

test('bitcask stats, merge and rebuild-hints show what they did', async () => {
  expect((await runCommand(['bitcask', 'stats', path])).stdout).toMatch(/^live bytes +2\.0 KiB\nstale ratio +0\.250$/m);
  expect(JSON.parse((await runCommand(['bitcask', 'stats', path, '-o', 'json'])).stdout)).toMatchObject({
    merge: { state: 'idle' },
  });
  expect((await runCommand(['bitcask', 'merge', path])).stdout).toMatch(/^segments merged +2$/m);
  expect((await runCommand(['bitcask', 'snapshot', path, 'x'])).stdout).toMatch(/^linked +2$/m);
  expect((await runCommand(['bitcask', 'rebuild-hints', path])).stdout).toBe('Hint files  2\nDamage      none\n');
});
