import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { createMemoryNode } from '../testing/memory-connection.js';
import { runCommand } from '../testing/run-command.js';

async function nodeWithLog(...values: string[]) {
  const node = createMemoryNode();
  await runCommand(['log', 'create', 'events'], { node });
  if (values.length > 0) await runCommand(['log', 'append', 'events', ...values], { node });
  return node;
}

test('log create passes the settings on and shows the log', async () => {
  const node = createMemoryNode();
  const argv = [
    'log',
    'create',
    'audit',
    '--retention-ms',
    '60000',
    '--retention-bytes',
    '1048576',
    '--acknowledgement',
    'all',
  ];
  const { code, stdout } = await runCommand(argv, { node });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^Retention +1 min 0 s or 1\.0 MiB$/m);
  expect(node.logs.get('audit')?.description.settings).toMatchObject({ retentionMs: 60_000, acknowledgement: 'all' });
});

test('log list is filtered by prefix', async () => {
  const node = await nodeWithLog();
  await runCommand(['log', 'create', 'other'], { node });
  expect(
    JSON.parse((await runCommand(['log', 'list', '--prefix', 'ev', '-o', 'json'], { node })).stdout),
  ).toMatchObject([{ name: 'events' }]);
});

test('log describe of a missing log is exit code 3', async () => {
  expect((await runCommand(['log', 'describe', 'nope'])).code).toBe(3);
});

test('log delete asks first', async () => {
  const node = await nodeWithLog();
  expect((await runCommand(['log', 'delete', 'events'], { node })).code).toBe(2);
  expect(node.logs.size).toBe(1);
  expect((await runCommand(['log', 'delete', 'events', '-y'], { node })).code).toBe(0);
  expect(node.logs.size).toBe(0);
});

test('log append takes arguments, with key and headers', async () => {
  const node = await nodeWithLog();
  const argv = ['log', 'append', 'events', 'a', 'b', '--key', 'k', '--header', 'h=1=2', '--header', 'g=', '-o', 'json'];
  expect(JSON.parse((await runCommand(argv, { node })).stdout)).toEqual({
    log: 'events',
    appended: 2,
    firstSequence: 1,
    lastSequence: 2,
  });
  const entries = JSON.parse(
    `[${(await runCommand(['log', 'read', 'events', '-o', 'json'], { node })).stdout.trim().split('\n').join(',')}]`,
  );
  const headers = [
    { name: 'h', value: '1=2' },
    { name: 'g', value: '' },
  ];
  expect(entries).toMatchObject([
    { sequence: 1, key: 'k', value: 'a', headers },
    { sequence: 2, key: 'k', value: 'b', headers },
  ]);
});

test('log append makes a record of every line of standard input, in batches, in order', async () => {
  const node = await nodeWithLog();
  const lines = Array.from({ length: 250 }, (_, index) => `line ${index}`);
  await runCommand(['log', 'append', 'events', '--batch', '100'], { node, stdin: lines.join('\n') });
  expect(node.calls.filter((call) => call === 'log append')).toHaveLength(3);
  expect(node.logs.get('events')?.entries.map(({ value }) => Buffer.from(value).toString())).toEqual(lines);
});

test('log append --files makes a record of every file in order of paths, the path as key', async () => {
  const directory = mkdtempSync(`${tmpdir()}/ctl-`);
  try {
    mkdirSync(`${directory}/sub`);
    writeFileSync(`${directory}/b`, 'two\nlines');
    writeFileSync(`${directory}/a`, new Uint8Array([255, 0]));
    writeFileSync(`${directory}/sub/c`, '');
    const node = await nodeWithLog();
    expect((await runCommand(['log', 'append', 'events', '--files', directory], { node })).code).toBe(0);
    const entries = node.logs
      .get('events')
      ?.entries.map(({ key, value }) => [Buffer.from(key).toString(), [...value].length]);
    expect(entries).toEqual([
      ['a', 2],
      ['b', 9],
      ['sub/c', 0],
    ]);
    expect((await runCommand(['log', 'append', 'events', 'x', '--files', directory], { node })).code).toBe(2);
    expect((await runCommand(['log', 'append', 'events', '--files', `${directory}/none`], { node })).code).toBe(1);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('log append --expect-last holds for every batch of the command', async () => {
  const node = await nodeWithLog();
  expect(
    (await runCommand(['log', 'append', 'events', 'a', 'b', 'c', '--expect-last', '0', '--batch', '1'], { node })).code,
  ).toBe(0);
  expect((await runCommand(['log', 'append', 'events', 'd', '--expect-last', '0'], { node })).code).toBe(9);
  expect(node.logs.get('events')?.entries).toHaveLength(3);
});

test('log append says how far it came when a later batch fails', async () => {
  const node = await nodeWithLog();
  let appends = 0;
  node.before = (call) => {
    if (call === 'log append' && ++appends === 2) throw new Error('broken');
  };
  const result = await runCommand(['log', 'append', 'events', 'a', 'b', '--batch', '1'], { node });
  expect(result.code).toBe(1);
  expect(result.stderr).toContain('1 records were appended, up to sequence 1, before this:');
});

test('log read shows a line an entry and starts where it is told', async () => {
  const node = await nodeWithLog('a', 'b\nb', 'c');
  expect((await runCommand(['log', 'read', 'events', '--from', '2'], { node })).stdout).toBe(
    '2  2023-11-14T22:13:22.000Z  b\\nb\n3  2023-11-14T22:13:23.000Z  c\n',
  );
  expect((await runCommand(['log', 'read', 'events', '--limit', '1', '--values'], { node })).stdout).toBe('a\n');
  expect(
    (await runCommand(['log', 'read', 'events', '--from-time', '2023-11-14T22:13:23Z', '--values'], { node })).stdout,
  ).toBe('c\n');
  expect((await runCommand(['log', 'read', 'events', '--limit', '0'], { node })).stdout).toBe('');
});

test('log tail ends after --count although the log does not', async () => {
  const node = await nodeWithLog('a', 'b', 'c');
  const result = await runCommand(['log', 'tail', 'events', '--count', '2', '--values'], { node });
  expect(result).toMatchObject({ code: 0, stdout: 'a\nb\n' });
});

test('log tail ends at Ctrl-C with exit code 130 and keeps what it printed', async () => {
  const node = await nodeWithLog('a');
  const controller = new AbortController();
  node.before = (call) => {
    if (call === 'log tail') setImmediate(() => controller.abort());
  };
  const result = await runCommand(['log', 'tail', 'events', '--values'], { node, signal: controller.signal });
  expect(result).toMatchObject({ code: 130, stdout: 'a\n' });
});

test('log tail refuses two starts', async () => {
  const node = await nodeWithLog('a');
  expect((await runCommand(['log', 'tail', 'events', '--from', '1', '--from-end'], { node })).code).toBe(2);
  expect((await runCommand(['log', 'read', 'events', '--from', '1', '--from-time', '5'], { node })).code).toBe(2);
});

test('log read and log tail refuse one origin and all of them', async () => {
  const node = await nodeWithLog('a');
  for (const command of ['read', 'tail']) {
    const args = ['log', command, 'events', '--origin', '2', '--all-origins'];
    expect((await runCommand(args, { node })).code).toBe(2);
    expect((await runCommand(['log', command, 'events', '--order', 'size'], { node })).code).toBe(2);
  }
});
