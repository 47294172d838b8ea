import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { openBitcask } from '@shanghai/bitcask';
import { nodeDisk } from '@shanghai/env';
import { openWal } from '@shanghai/wal';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storageTools } from './storage-tools.js';
import { runCommand } from './testing/run-command.js';

const root = mkdtempSync(`${tmpdir()}/ctl-storage-`);
const data = `${root}/data`;
const wal = `${data}/wal`;
const store = `${data}/groups/1`;
const bytes = (text: string) => new TextEncoder().encode(text);

beforeAll(async () => {
  mkdirSync(store, { recursive: true });
  writeFileSync(`${data}/node.json`, '{}');
  const log = await openWal({ directory: wal, lock: false });
  for (let index = 1; index <= 20; index += 1) await log.append(bytes(`record ${index}`), { stream: index % 3 });
  await log.close();
  const keys = await openBitcask({ directory: store, lock: false, segmentBytes: 4096 });
  for (let round = 0; round < 3; round += 1) {
    for (let index = 0; index < 50; index += 1)
      await keys.put(bytes(`k${index}`), bytes(`value ${round} ${'x'.repeat(50)}`));
  }
  // Expired long ago by the wall clock; a server would judge by its log's time.
  await keys.put(bytes('expiring'), bytes('still here'), { expiresAtMs: 1 });
  await keys.close();
});

afterAll(() => rmSync(root, { recursive: true }));

const run = (...argv: string[]) => runCommand([...argv, '-o', 'json', '-q'], { tools: storageTools() });
const json = async (...argv: string[]) => {
  const result = await run(...argv);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(result.stdout);
};

/** A copy whose bytes may be changed; outside of a data directory. */
function copyOf(directory: string, name: string): string {
  const copy = `${root}/${name}`;
  cpSync(directory, copy, { recursive: true });
  return copy;
}

/** Changes the first byte of a text in the first file below `directory` that holds it. */
function damageText(directory: string, text: string): void {
  for (const name of readdirSync(directory)) {
    const content = readFileSync(`${directory}/${name}`);
    const at = content.indexOf(text);
    if (at === -1) continue;
    content[at] = (content[at] ?? 0) ^ 1;
    writeFileSync(`${directory}/${name}`, content);
    return;
  }
  throw new Error(`no file below '${directory}' holds '${text}'`);
}

test('a sound log verifies and is dumped by bounds and stream', async () => {
  expect(await json('wal', 'verify', wal)).toMatchObject({
    ok: true,
    records: 20,
    firstLsn: 1,
    lastLsn: 20,
    problems: [],
  });
  const dump = await runCommand(['wal', 'dump', wal, '--from', '3', '--to', '10', '--stream', '0', '-o', 'json'], {
    tools: storageTools(),
  });
  const lines = dump.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ lsn, payload }) => [lsn, payload])).toEqual([
    [3, 'record 3'],
    [6, 'record 6'],
    [9, 'record 9'],
  ]);
});

test.each([['verify'], ['dump'], ['repair', '--truncate-tail', '--yes'], ['repair', '--salvage', 'out']])(
  'wal %s of a directory without a log is exit code 3, and names the log one level below',
  async (name, ...options) => {
    const result = await run('wal', name, data, ...options);
    expect(result).toMatchObject({ code: 3, stdout: '' });
    expect(JSON.parse(result.stderr).error.message).toBe(`there is no log in '${data}'; did you mean '${wal}'?`);
    const elsewhere = await run('wal', name, store, ...options);
    expect(JSON.parse(elsewhere.stderr).error.message).toBe(`there is no log in '${store}'`);
  },
);

test.each([['verify'], ['stats'], ['merge'], ['snapshot', 'out'], ['rebuild-hints']])(
  'bitcask %s of a directory without a store is exit code 3, makes nothing there, and knows a LevelDB store',
  async (name, ...more) => {
    const result = await run('bitcask', name, wal, ...more);
    expect(result).toMatchObject({ code: 3, stdout: '' });
    expect(JSON.parse(result.stderr).error.message).toBe(`there is no store in '${wal}'`);
    const level = mkdtempSync(`${root}/level-`);
    for (const file of ['CURRENT', 'MANIFEST-000002']) writeFileSync(`${level}/${file}`, '');
    const other = await run('bitcask', name, level, ...more);
    expect(JSON.parse(other.stderr).error.message).toContain('it is one of engine level (LevelDB)');
    expect(readdirSync(level)).toHaveLength(2);
  },
);

test('stats count keys only for the first bytes that keys have', async () => {
  const { keys, keysByFirstByte } = await json('bitcask', 'stats', store);
  const counts: number[] = Object.values(keysByFirstByte);
  expect(counts.every((count) => count > 0)).toBe(true);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(keys);
});

test('damage in a log is found, dumped around, cut with a copy, or salvaged', async () => {
  const damaged = copyOf(wal, 'damaged-wal');
  damageText(damaged, 'record 12');
  expect(await run('wal', 'verify', damaged)).toMatchObject({ code: 19 });
  const dump = await run('wal', 'dump', damaged);
  expect(dump.code).toBe(19);
  expect(dump.stdout).toContain('record 11');
  expect(dump.stdout).not.toContain('record 12');
  expect(dump.stdout).toContain('record 13');

  const salvaged = `${root}/salvaged`;
  expect(await json('wal', 'repair', damaged, '--salvage', salvaged)).toMatchObject({
    records: 19,
    lost: [{ firstLsn: 12, lastLsn: 12 }],
  });
  expect(await json('wal', 'verify', salvaged)).toMatchObject({ ok: true, records: 19 });
  expect((await run('wal', 'repair', damaged, '--salvage', salvaged)).code).toBe(5);

  const repaired = await json('wal', 'repair', damaged, '--truncate-tail', '--yes');
  expect(repaired).toMatchObject({ changed: true, lastLsn: 11 });
  expect(existsSync(`${damaged}/${repaired.copies[0]}`)).toBe(true);
  expect(await json('wal', 'verify', damaged)).toMatchObject({ ok: true, records: 11 });
});

test('a sound store verifies, shows what is dead, is merged and gets its hints anew', async () => {
  expect(await json('bitcask', 'verify', store)).toMatchObject({ ok: true, problems: [] });
  const before = await json('bitcask', 'stats', store);
  expect(before.keys).toBe(51);
  expect(before.staleRatio).toBeGreaterThan(0.3);
  const merged = await json('bitcask', 'merge', store);
  expect(merged.bytesAfter).toBeLessThan(merged.bytesBefore);
  const after = await json('bitcask', 'stats', store);
  expect(after.staleRatio).toBeLessThan(before.staleRatio);
  expect((await json('bitcask', 'rebuild-hints', store)).hints).toBeGreaterThan(0);
  expect(await json('bitcask', 'verify', store)).toMatchObject({ ok: true });
});

test('an offline merge keeps what only the wall clock calls expired', async () => {
  await json('bitcask', 'merge', store);
  const opened = await openBitcask({ directory: store, lock: false, horizon: () => 0 });
  expect(Buffer.from((await opened.get(bytes('expiring'))) ?? []).toString()).toBe('still here');
  await opened.close();
});

test('a snapshot shares its bytes with the store, opens beside it, and is refused where something lies', async () => {
  const target = `${root}/snapshots/one`;
  const made = await json('bitcask', 'snapshot', store, target);
  expect(made).toMatchObject({ copied: 0, linked: made.files });
  const stats = await json('bitcask', 'stats', store);
  expect(await json('bitcask', 'stats', target)).toMatchObject({ keys: stats.keys, lastSequence: made.sequence });
  expect(await json('bitcask', 'verify', target)).toMatchObject({ ok: true });
  for (const name of readdirSync(target).filter((one) => one.endsWith('.data'))) {
    expect(statSync(`${target}/${name}`).ino).toBe(statSync(`${store}/${name}`).ino);
  }
  expect((await run('bitcask', 'snapshot', store, target)).code).toBe(5);
});

test('damage in a store is found with its place', async () => {
  const damaged = copyOf(store, 'damaged-store');
  damageText(damaged, 'value 2');
  const result = await run('bitcask', 'verify', damaged);
  expect(result.code).toBe(19);
  const [problem] = JSON.parse(result.stdout).problems;
  expect(problem).toMatchObject({ file: expect.any(String), offset: expect.any(Number), what: expect.any(String) });
});

const offline: readonly (readonly [string, string, string, ...string[]])[] = [
  ['wal', 'verify', wal],
  ['wal', 'dump', wal],
  ['wal', 'repair', wal, '--truncate-tail', '--yes'],
  ['wal', 'repair', wal, '--salvage', `${root}/never`],
  ['bitcask', 'verify', store],
  ['bitcask', 'stats', store],
  ['bitcask', 'merge', store],
  ['bitcask', 'snapshot', store, `${root}/never`],
  ['bitcask', 'rebuild-hints', store],
];

test.each(offline)(
  '%s %s refuses while a server holds the data directory, or another tool the directory itself',
  async (...argv) => {
    for (const held of [data, argv[2] ?? '']) {
      const lock = await nodeDisk().lockDirectory(held, { description: 'somebody' });
      const result = await run(...argv);
      await lock.release();
      expect(result).toMatchObject({ code: 17, stdout: '' });
      expect(result.stderr).toContain('somebody');
    }
    expect(existsSync(`${root}/never`)).toBe(false);
  },
);

test.each([
  ['wal', 'verify'],
  ['bitcask', 'verify'],
  ['bitcask', 'stats'],
  ['bitcask', 'merge'],
  ['bitcask', 'rebuild-hints'],
])('%s %s of a directory that is neither leaves it empty', async (...argv) => {
  const empty = mkdtempSync(`${root}/empty-`);
  expect((await run(...argv, empty)).code).not.toBe(0);
  expect(readdirSync(empty)).toEqual([]);
});

test('Ctrl-C ends a verification with exit code 130', async () => {
  const controller = new AbortController();
  controller.abort();
  const result = await runCommand(['wal', 'verify', wal], { tools: storageTools(), signal: controller.signal });
  expect(result).toMatchObject({ code: 130, stdout: '' });
});
