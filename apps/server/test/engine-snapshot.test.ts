/** What every storage engine promises about snapshots. On the machine's own disk. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { ModelStore } from '@shanghai/bitcask/testing';
import { createSeededRandom, nodeDisk } from '@shanghai/env';
import { createManualClock } from '@shanghai/env/testing';
import { afterAll, describe, expect, test } from 'vitest';
import { openEngine } from '../src/engine/open-engine.js';
import {
  type EngineEntry,
  type EngineOperation,
  engineNames,
  type StorageEngine,
} from '../src/engine/storage-engine.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_263);
const bytes = (text: string): Uint8Array => Buffer.from(text);
const put = (key: string, value: string, expiresAtMs = 0): EngineOperation =>
  expiresAtMs === 0
    ? { type: 'put', key: bytes(key), value: bytes(value) }
    : { type: 'put', key: bytes(key), value: bytes(value), expiresAtMs };

async function everything(engine: StorageEngine): Promise<EngineEntry[]> {
  const found: EngineEntry[] = [];
  for await (const { key, value, sequence, expiresAtMs } of (await engine.exportEntries()).entries)
    found.push({ key: Buffer.from(key), value: Buffer.from(value), sequence, expiresAtMs });
  return found;
}

function modelEntries(model: ModelStore): EngineEntry[] {
  return model
    .range({}, 0)
    .map((entry) => ({ ...entry, key: Buffer.from(entry.key), value: Buffer.from(entry.value) }));
}

describe.each(engineNames)('snapshots of engine %s', (name) => {
  const root = mkdtempSync(`${tmpdir()}/shanghai-engine-snapshot-${name}-`);
  afterAll(() => rmSync(root, { recursive: true }));
  let made = 0;
  const newPath = (): string => `${root}/${made++}`;
  const newDirectory = (): string => {
    const directory = newPath();
    mkdirSync(directory);
    return directory;
  };
  const open = (directory = newDirectory()): Promise<StorageEngine> =>
    openEngine(name, {
      directory,
      horizon: () => 0,
      maxKeyBytes: 1_000,
      maxValueBytes: 1_000_000,
      maxQueuedBytes: 4_000_000,
      store: { segmentBytes: 16_384, merge: { enabled: false } },
      disk: nodeDisk(),
      clock: createManualClock(1_000),
    });

  test(`a snapshot is the store at its call, whatever is written meanwhile, and a store of its own (seed ${seed})`, async () => {
    const random = createSeededRandom(seed);
    const engine = await open();
    const model = new ModelStore();
    for (let i = 0; i < 300; i++) {
      const key = `k${random.below(100)}`;
      const operation: EngineOperation =
        random.below(4) === 0
          ? { type: 'delete', key: bytes(key) }
          : put(key, 'v'.repeat(random.below(900)), random.below(5) === 0 ? 1 + random.below(50) : 0);
      model.apply([operation]);
      await engine.batch([operation]);
    }
    const directory = newPath();
    const snapshot = await engine.snapshot(directory);
    for (let i = 0; i < 100; i++) await engine.batch([put(`k${i}`, 'later'), put(`later${i}`, 'later')]);
    await snapshot.finish();
    await engine.merge({ force: true });
    await snapshot.abandon();
    expect(snapshot.sequence).toBe(model.sequence);
    // What travels is what the directory holds now.
    const moved = newPath();
    cpSync(directory, moved, { recursive: true });
    await engine.close();

    const copy = await open(moved);
    expect(await everything(copy)).toEqual(modelEntries(model));
    expect(copy.stats()).toMatchObject({ lastSequence: model.sequence, durableSequence: model.sequence });
    const counts = [...copy.stats().keysByFirstByte];
    expect(counts['k'.charCodeAt(0)]).toBe(modelEntries(model).length);
    expect(await copy.batch([put('z', '1')])).toEqual({ sequence: model.sequence + 1 });
    await copy.close();
    const again = await open(moved);
    expect(again.has(bytes('z'))).toBe(true);
    expect(again.stats().lastSequence).toBe(model.sequence + 1);
    await again.close();
  });

  test('a store that holds nothing any more keeps its place in the order', async () => {
    const engine = await open();
    await engine.batch([put('a', '1')]);
    await engine.batch([{ type: 'delete', key: bytes('a') }]);
    const directory = newPath();
    await (await engine.snapshot(directory)).finish();
    await engine.close();
    const copy = await open(directory);
    expect(await everything(copy)).toEqual([]);
    expect(await copy.batch([put('b', '')])).toEqual({ sequence: 3 });
    await copy.close();
  });

  test('a snapshot that is given up does not keep the store from going on and closing', async () => {
    const engine = await open();
    await engine.batch(Array.from({ length: 2_000 }, (_, i) => put(`k${i}`, 'v'.repeat(500))));
    await (await engine.snapshot(newPath())).abandon();
    const second = await engine.snapshot(newPath());
    const finishing = second.finish().catch((error: unknown) => error);
    await second.abandon();
    await second.abandon();
    await finishing;
    await engine.batch([put('on', '')]);
    await engine.close();
  });

  test('a damaged file of a snapshot never opens as a store that reads otherwise', async () => {
    const engine = await open();
    await engine.batch(Array.from({ length: 50 }, (_, i) => put(`k${100 + i}`, `value-${i}`)));
    const directory = newPath();
    await (await engine.snapshot(directory)).finish();
    const whole = await everything(engine);
    await engine.close();
    const random = createSeededRandom(seed);
    const [file] = readdirSync(directory).filter((one) => /(?:^entries|\.data)$/.test(one));
    for (let round = 0; round < 25; round++) {
      const copy = newPath();
      cpSync(directory, copy, { recursive: true });
      const content = readFileSync(`${copy}/${file}`);
      const at = random.below(content.length);
      if (round % 5 === 0) writeFileSync(`${copy}/${file}`, content.subarray(0, at));
      else writeFileSync(`${copy}/${file}`, content.fill((content[at] as number) ^ 1, at, at + 1));
      const found = await open(copy).then(
        async (opened) => {
          const entries = await everything(opened).catch((error: { code?: unknown }) => error.code);
          await opened.close().catch(() => undefined);
          return entries;
        },
        (error: { code?: unknown }) => error.code,
      );
      if (found !== 'CORRUPT' && found !== 'UNSUPPORTED_FORMAT')
        expect(found, `seed ${seed}, byte ${at}`).toEqual(whole);
    }
  });
});

test('a level store that was being filled from a snapshot begins anew', async () => {
  const root = mkdtempSync(`${tmpdir()}/shanghai-engine-fill-`);
  const options = (directory: string) => ({
    directory,
    horizon: () => 0,
    maxKeyBytes: 1_000,
    maxValueBytes: 1_000_000,
    maxQueuedBytes: 4_000_000,
    store: {},
    disk: nodeDisk(),
    clock: createManualClock(1_000),
  });
  mkdirSync(`${root}/a`);
  const engine = await openEngine('level', options(`${root}/a`));
  await engine.batch([put('a', '1'), put('b', '2')]);
  await (await engine.snapshot(`${root}/b`)).finish();
  // The state of a store that a process left half filled: the file is still there, and so is a database.
  cpSync(`${root}/b/entries`, `${root}/entries`);
  const other = await openEngine('level', options(`${root}/b`));
  await other.batch([put('c', '3')]);
  await other.close();
  cpSync(`${root}/entries`, `${root}/b/entries`);
  const filled = await openEngine('level', options(`${root}/b`));
  expect((await everything(filled)).map(({ key }) => key.toString())).toEqual(['a', 'b']);
  expect(existsSync(`${root}/b/entries`)).toBe(false);
  await filled.close();
  await engine.close();
  rmSync(root, { recursive: true });
});
