/** What only the engine on LevelDB has to prove: that its logs change under its hand, and are read before LevelDB reads them. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';
import { createSeededRandom, type Disk, type DiskFile, nodeDisk } from '@shanghai/env';
import { createManualClock } from '@shanghai/env/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLevelEngine } from '../src/engine/open-level-engine.js';
import type { StorageEngine } from '../src/engine/storage-engine.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_263);
let root: string;

beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/shanghai-level-`);
});
afterEach(() => rmSync(root, { recursive: true }));

const bytes = (text: string): Uint8Array => Buffer.from(text);

function open(directory: string, disk: Disk = nodeDisk(), horizon = () => 0): Promise<StorageEngine> {
  const limits = { maxKeyBytes: 1_000, maxValueBytes: 50_000_000, maxQueuedBytes: 100_000_000 };
  return openLevelEngine({ directory, horizon, ...limits, store: {}, disk, clock: createManualClock(1_000) });
}

const put = (key: string, value: Uint8Array) => ({ type: 'put', key: bytes(key), value }) as const;

/** The machine's disk, but `sync` of a file is preceded by `before`, which may fail. */
function watchedDisk(before: (path: string) => void): Disk {
  const disk = nodeDisk();
  return {
    ...disk,
    async open(path, mode) {
      const file: DiskFile = await disk.open(path, mode);
      return new Proxy(file, {
        get(target, name) {
          if (name === 'sync') {
            return () => {
              before(path);
              return target.sync();
            };
          }
          const member = Reflect.get(target, name, target);
          return typeof member === 'function' ? member.bind(target) : member;
        },
      });
    },
  };
}

test('a log is synced to its end before the next one begins, however much is written', async () => {
  const synced = new Map<string, number>();
  const engine = await open(
    root,
    watchedDisk((path) => {
      if (path.endsWith('.log')) synced.set(basename(path), statSync(path).size);
    }),
  );
  const random = createSeededRandom(seed);
  const sizes = new Map<string, number>();
  for (let i = 0; i < 150; i++) {
    // Some are larger than what the write buffer is emptied at.
    const value = random.bytes(i % 50 === 20 ? 20_000_000 : random.below(400_000));
    await engine.batch([put(`k${i}`, value), put('last', bytes(`${i}`))]);
    for (const name of readdirSync(root).filter((file) => file.endsWith('.log')))
      sizes.set(name, statSync(`${root}/${name}`).size);
  }
  const logs = [...sizes.keys()].sort();
  assert.ok(logs.length > 3, `only ${logs.length} logs, seed ${seed}`);
  for (const name of logs.slice(0, -1)) assert.equal(synced.get(name), sizes.get(name), `${name}, seed ${seed}`);
  await engine.close();
});

test('a sync that fails is followed by no more writes, and opening again goes on from what is there', async () => {
  let fails = false;
  const disk = watchedDisk((path) => {
    if (fails && path.endsWith('.log')) throw Object.assign(new Error('the disk failed'), { code: 'EIO' });
  });
  const engine = await open(root, disk);
  await engine.batch([put('a', bytes('1'))]);
  fails = true;
  await expect(engine.checkpoint()).rejects.toThrow();
  await expect(engine.batch([put('b', bytes('2'))])).rejects.toMatchObject({ code: 'POISONED' });
  await expect(engine.checkpoint()).rejects.toMatchObject({ code: 'POISONED' });
  expect(engine.has(bytes('a'))).toBe(true);
  await engine.close();
  const again = await open(root);
  expect([again.has(bytes('a')), again.has(bytes('b')), again.stats().lastSequence]).toEqual([true, false, 1]);
  await again.close();
});

/** A directory whose log holds batches 1 to `durable`, a checkpoint, then more, as the death of the process leaves it. */
async function crashed(
  durable: number,
  batches: number,
): Promise<{ directory: string; log: string; durableBytes: number }> {
  const directory = `${root}/source`;
  const source = await open(await made(directory));
  let durableBytes = 0;
  for (let i = 1; i <= batches; i++) {
    await source.batch([put('applied', bytes(`${i}`)), put(`k${i}`, new Uint8Array(i * 37).fill(i))]);
    if (i === durable) await source.checkpoint();
    if (i === durable) durableBytes = statSync(`${directory}/${logOf(directory)}`).size;
  }
  const copy = `${root}/crashed`;
  cpSync(directory, copy, { recursive: true });
  await source.close();
  return { directory: copy, log: logOf(copy), durableBytes };
}

async function made(directory: string): Promise<string> {
  await nodeDisk().makeDirectory(directory);
  return directory;
}

const logOf = (directory: string) => readdirSync(directory).find((file) => file.endsWith('.log')) as string;

/** How many batches a copy with this log holds; they must be the first ones. `'CORRUPT'` where it is refused. */
async function recovered(from: string, log: string, content: Uint8Array, where: string): Promise<number | 'CORRUPT'> {
  const copy = `${root}/copy`;
  cpSync(from, copy, { recursive: true });
  writeFileSync(`${copy}/${log}`, content);
  try {
    const engine = await open(copy);
    const applied = Number(Buffer.from((await engine.getEntry(bytes('applied')))?.value ?? []).toString() || 0);
    assert.equal(engine.stats().lastSequence, 2 * applied, where);
    for (let i = 1; i <= applied; i++) assert.ok(engine.has(bytes(`k${i}`)), `${where}: batch ${i} of ${applied}`);
    assert.equal(engine.stats().keysByFirstByte['k'.charCodeAt(0)], applied, where);
    await engine.close();
    return applied;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'CORRUPT') throw error;
    return 'CORRUPT';
  } finally {
    rmSync(copy, { recursive: true });
  }
}

test('a log that was cut anywhere gives a prefix behind the checkpoint, and is refused before it', async () => {
  const { directory, log, durableBytes } = await crashed(4, 9);
  const content = readFileSync(`${directory}/${log}`);
  const seen = new Set<number | 'CORRUPT'>();
  for (let length = content.length; length >= 0; length -= deep ? 1 : 43) {
    const found = await recovered(directory, log, content.subarray(0, length), `cut at ${length}`);
    if (length < durableBytes) assert.equal(found, 'CORRUPT', `cut at ${length} of ${durableBytes}`);
    else assert.ok(found !== 'CORRUPT' && found >= 4, `cut at ${length}: ${found}`);
    seen.add(found);
  }
  expect(seen).toEqual(new Set([9, 8, 7, 6, 5, 4, 'CORRUPT']));
});

test('a log with a flipped byte gives what precedes it, and is refused where that had been synced', async () => {
  const { directory, log, durableBytes } = await crashed(4, 9);
  const content = readFileSync(`${directory}/${log}`);
  for (let at = 0; at < content.length; at += deep ? 1 : 61) {
    const flipped = Uint8Array.from(content);
    flipped[at] = (flipped[at] as number) ^ 0x10;
    const found = await recovered(directory, log, flipped, `flipped at ${at}`);
    if (at < durableBytes) assert.equal(found, 'CORRUPT', `flipped at ${at} of ${durableBytes}`);
    else assert.ok(found !== 'CORRUPT' && found >= 4 && found < 9, `flipped at ${at}: ${found}`);
  }
});

test('records that span the blocks of a log are whole ones', async () => {
  const engine = await open(await made(`${root}/source`));
  for (let i = 1; i <= 20; i++) await engine.batch([put(`k${i}`, new Uint8Array(i * 7_001).fill(i))]);
  cpSync(`${root}/source`, `${root}/copy`, { recursive: true });
  await engine.close();
  const again = await open(`${root}/copy`);
  for (let i = 1; i <= 20; i++) expect(again.getEntrySync(bytes(`k${i}`))?.value.length).toBe(i * 7_001);
  await again.close();
});

test('tables that are gone, a mark that is damaged or newer, and a store that is gone are refused', async () => {
  const engine = await open(await made(`${root}/source`));
  for (let i = 1; i <= 20; i++) await engine.batch([put(`k${i}`, bytes('1'))]);
  await engine.merge({ force: true });
  await engine.close();
  const cases: [what: string, change: (directory: string) => void, code: string][] = [
    ['table', (at) => remove(at, /\.ldb$/), 'CORRUPT'],
    ['CURRENT', (at) => remove(at, /^CURRENT$/), 'CORRUPT'],
    ['everything of LevelDB', (at) => remove(at, /^(?!checkpoint)/), 'CORRUPT'],
    ['mark', (at) => writeFileSync(`${at}/checkpoint.json`, '{"version":1,"sequence":-1}'), 'CORRUPT'],
    ['newer mark', (at) => writeFileSync(`${at}/checkpoint.json`, '{"version":2}'), 'UNSUPPORTED_FORMAT'],
    [
      'mark ahead',
      (at) => writeFileSync(`${at}/checkpoint.json`, '{"version":1,"sequence":99,"log":"","logBytes":0}'),
      'CORRUPT',
    ],
  ];
  for (const [what, change, code] of cases) {
    cpSync(`${root}/source`, `${root}/copy`, { recursive: true });
    change(`${root}/copy`);
    await expect(open(`${root}/copy`), what).rejects.toMatchObject({ code });
    rmSync(`${root}/copy`, { recursive: true });
  }
});

function remove(directory: string, names: RegExp): void {
  for (const name of readdirSync(directory)) if (names.test(name)) rmSync(`${directory}/${name}`);
}

test('a table with a flipped byte is refused; one that a crash left half written is not missed', async () => {
  const source = await made(`${root}/source`);
  const engine = await open(source);
  const value = (i: number) => bytes(`{"name":"city ${i}","country":"CN","population":${i * 7_919}}`);
  for (let i = 0; i < 400; i++) await engine.batch([put(`city-${i}`, value(i))]);
  await engine.merge({ force: true });
  await engine.close();
  const table = readdirSync(source).find((file) => file.endsWith('.ldb')) as string;
  const content = readFileSync(`${source}/${table}`);
  writeFileSync(`${source}/999999.ldb`, content.subarray(0, content.length >> 1));
  const whole = await open(source);
  expect(readdirSync(source)).not.toContain('999999.ldb');
  await whole.close();
  for (let at = 0; at < content.length; at += deep ? 29 : 331) {
    cpSync(source, `${root}/copy`, { recursive: true });
    const flipped = Uint8Array.from(content);
    flipped[at] = (flipped[at] as number) ^ 1;
    writeFileSync(`${root}/copy/${table}`, flipped);
    // The last 48 bytes hold two short numbers, nothing, and what kind of file it is.
    const isUnused = at >= content.length - 48 && at < content.length - 8;
    const opened = await open(`${root}/copy`).catch((error: { code?: unknown }) => String(error.code));
    if (typeof opened !== 'string') {
      assert.ok(isUnused, `flipped at ${at} of ${content.length}`);
      for (let i = 0; i < 400; i++) assert.ok(opened.has(bytes(`city-${i}`)), `flipped at ${at}: ${i}`);
      await opened.close();
    } else {
      assert.equal(opened, 'CORRUPT', `flipped at ${at}`);
    }
    rmSync(`${root}/copy`, { recursive: true });
  }
});

test('what has expired is removed behind a checkpoint once there is enough of it', async () => {
  let horizonMs = 0;
  const engine = await open(root, nodeDisk(), () => horizonMs);
  const expiring = (i: number) => ({ ...put(`k${i}`, bytes('1')), expiresAtMs: 50 });
  await engine.batch(Array.from({ length: 10_000 }, (_, i) => expiring(i)));
  await engine.batch([put('stays', bytes('1'))]);
  horizonMs = 50;
  await engine.checkpoint();
  await expect.poll(() => engine.stats().keysByFirstByte['k'.charCodeAt(0)], { timeout: 30_000 }).toBe(0);
  expect(engine.stats()).toMatchObject({ lastSequence: 10_001 });
  expect(engine.has(bytes('stays'))).toBe(true);
  await engine.close();
});

test('a store that is open is locked', async () => {
  const engine = await open(root);
  await expect(open(root)).rejects.toMatchObject({ code: 'LOCKED' });
  await engine.close();
});
