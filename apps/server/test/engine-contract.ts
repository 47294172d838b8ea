/** What every storage engine promises, as a suite that each of them runs. On the machine's own disk. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { ModelStore } from '@shanghai/bitcask/testing';
import { createSeededRandom, nodeDisk } from '@shanghai/env';
import { createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import type { EngineOptions } from '../src/engine/engine-options.js';
import { openEngine } from '../src/engine/open-engine.js';
import type { EngineEntry, EngineName, EngineOperation, StorageEngine } from '../src/engine/storage-engine.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_262);
const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString();
const put = (key: string, value: string, expiresAtMs?: number): EngineOperation =>
  expiresAtMs === undefined
    ? { type: 'put', key: bytes(key), value: bytes(value) }
    : { type: 'put', key: bytes(key), value: bytes(value), expiresAtMs };
const del = (key: string): EngineOperation => ({ type: 'delete', key: bytes(key) });

async function all(entries: AsyncIterable<EngineEntry>): Promise<EngineEntry[]> {
  const found: EngineEntry[] = [];
  for await (const { key, value, sequence, expiresAtMs } of entries)
    found.push({ key: Buffer.from(key), value: Buffer.from(value), sequence, expiresAtMs });
  return found;
}

const plain = (entries: readonly EngineEntry[]): EngineEntry[] =>
  entries.map((entry) => ({ ...entry, key: Buffer.from(entry.key), value: Buffer.from(entry.value) }));

function modelCounts(model: ModelStore): number[] {
  const counts = Array.from({ length: 256 }, () => 0);
  for (const { key } of model.range({}, 0)) counts[key[0] as number] = (counts[key[0] as number] as number) + 1;
  return counts;
}

/** Operations over few keys, so that they meet. */
function randomBatch(random: ReturnType<typeof createSeededRandom>): EngineOperation[] {
  return Array.from({ length: 1 + random.below(6) }, () => {
    const key = Uint8Array.of(
      random.below(4) * 85,
      ...Array.from({ length: random.below(3) }, () => random.below(3) * 127),
    );
    if (random.below(4) === 0) return { type: 'delete', key };
    const value = new Uint8Array(random.below(300)).fill(random.below(256));
    return random.below(5) === 0
      ? { type: 'put', key, value, expiresAtMs: 1 + random.below(100) }
      : { type: 'put', key, value };
  });
}

/** Adds the contract's cases for one engine. `root` is an empty directory that the caller removes. */
export function engineContract(name: EngineName, root: string): void {
  let made = 0;
  const newDirectory = (): string => {
    const directory = `${root}/${made++}`;
    mkdirSync(directory);
    return directory;
  };
  const open = (directory = newDirectory(), more: Partial<EngineOptions> = {}): Promise<StorageEngine> =>
    openEngine(name, {
      directory,
      horizon: () => 0,
      maxKeyBytes: 1_000,
      maxValueBytes: 1_000_000,
      maxQueuedBytes: 4_000_000,
      store: { segmentBytes: 16_384, merge: { enabled: false } },
      disk: nodeDisk(),
      clock: createManualClock(1_000),
      ...more,
    });
  /** The directory as the death of the process leaves it. */
  const copyOf = (directory: string): string => {
    const copy = newDirectory();
    cpSync(directory, copy, { recursive: true });
    rmSync(`${copy}/LOCK`, { force: true });
    return copy;
  };
  const failing = (code: string) => expect.objectContaining({ code });

  test('what is put is there with its sequence, what is deleted is not', async () => {
    const engine = await open();
    expect(engine.name).toBe(name);
    expect(await engine.getEntry(bytes('a'))).toBeUndefined();
    expect(engine.getEntrySync(bytes('a'))).toBeUndefined();
    expect(await engine.batch([put('a', '1'), put('b', '')])).toEqual({ sequence: 2 });
    expect(plain([(await engine.getEntry(bytes('a'))) as EngineEntry])).toEqual([
      { key: bytes('a'), value: bytes('1'), sequence: 1, expiresAtMs: 0 },
    ]);
    expect(engine.getEntrySync(bytes('b'))?.value.length).toBe(0);
    expect([engine.has(bytes('a')), engine.has(bytes('c'))]).toEqual([true, false]);
    expect(await engine.batch([del('a'), del('none')])).toEqual({ sequence: 4 });
    expect(engine.has(bytes('a'))).toBe(false);
    await engine.close();
  });

  test('in a batch the last operation of a key wins, and the buffers are free when the call has returned', async () => {
    const engine = await open();
    const key = Buffer.from('k');
    const value = Buffer.from('one');
    const writing = engine.batch([put('k', 'zero'), { type: 'delete', key }, { type: 'put', key, value }]);
    key.fill(0);
    value.fill(0);
    await writing;
    expect(text((await engine.getEntry(bytes('k')))?.value)).toBe('one');
    expect((await all(engine.range())).map((entry) => text(entry.key))).toEqual(['k']);
    await engine.close();
  });

  test('batches that are not waited for take effect in the order of the calls', async () => {
    const engine = await open();
    const sequences = await Promise.all(
      Array.from({ length: 50 }, (_, i) => engine.batch([put('k', `${i}`), put(`k${i}`, '')])),
    );
    expect(sequences.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 50 }, (_, i) => 2 * i + 2));
    expect(text(engine.getEntrySync(bytes('k'))?.value)).toBe('49');
    expect(engine.stats().keysByFirstByte['k'.charCodeAt(0)]).toBe(51);
    await engine.close();
  });

  test('an entry is gone where its expiry is at or before the horizon', async () => {
    let horizonMs = 0;
    const engine = await open(undefined, { horizon: () => horizonMs });
    await engine.batch([put('a', '1', 100), put('b', '2')]);
    const keys = async (options = {}) => (await all(engine.range(options))).map((entry) => text(entry.key));
    expect(await engine.getEntry(bytes('a'), { horizonMs: 99 })).toMatchObject({ expiresAtMs: 100 });
    expect(await engine.getEntry(bytes('a'), { horizonMs: 100 })).toBeUndefined();
    expect(engine.getEntrySync(bytes('a'), { horizonMs: 100 })).toBeUndefined();
    expect([engine.has(bytes('a'), { horizonMs: 99 }), engine.has(bytes('a'), { horizonMs: 100 })]).toEqual([
      true,
      false,
    ]);
    expect([await keys({ horizonMs: 99 }), await keys({ horizonMs: 100 })]).toEqual([['a', 'b'], ['b']]);
    horizonMs = 100;
    expect([await keys(), await keys({ limit: 1 }), engine.has(bytes('a'))]).toEqual([['b'], ['b'], false]);
    await engine.close();
  });

  test(`any history: point reads, ranges, counts and exports equal the model, also after reopening (seed ${seed})`, async () => {
    const random = createSeededRandom(seed);
    const directory = newDirectory();
    const model = new ModelStore();
    let engine = await open(directory);
    for (let round = 0; round < (deep ? 600 : 120); round++) {
      const batch = randomBatch(random);
      model.apply(batch);
      expect(await engine.batch(batch)).toEqual({ sequence: model.sequence });
      if (round % 40 === 39) {
        await engine.close();
        engine = await open(directory);
        expect(engine.stats()).toMatchObject({ lastSequence: model.sequence, durableSequence: model.sequence });
      }
      const horizonMs = random.below(110);
      const key = (batch[0] as EngineOperation).key;
      const expected = model.get(key, horizonMs);
      expect(plain([await engine.getEntry(key, { horizonMs })].flatMap((one) => one ?? []))).toEqual(
        expected === undefined ? [] : plain([expected]),
      );
      const edge = () => Uint8Array.of(random.below(4) * 85, random.below(3) * 127);
      const options = {
        ...(random.below(2) === 0 ? {} : { start: edge() }),
        ...(random.below(2) === 0 ? {} : { end: edge() }),
        ...(random.below(3) > 0 ? {} : { prefix: edge().subarray(0, random.below(3)) }),
        ...(random.below(2) === 0 ? {} : { limit: random.below(5) }),
        reverse: random.below(2) === 0,
        keysOnly: random.below(4) === 0,
        horizonMs,
      };
      const found = await all(engine.range(options));
      assert.deepEqual(found, plain(model.range(options, horizonMs)), `seed ${seed}, round ${round}`);
      assert.deepEqual([...engine.stats().keysByFirstByte], modelCounts(model), `seed ${seed}, round ${round}`);
    }
    const { sequence, entries } = await engine.exportEntries();
    expect(sequence).toBe(model.sequence);
    expect(await all(entries)).toEqual(plain(model.range({}, 0)));
    await engine.close();
  });

  test('a range sees the state of its first entry through writes; it can be left early or aborted', async () => {
    const engine = await open();
    await engine.batch(Array.from({ length: 500 }, (_, i) => put(`k${1000 + i}`, 'old')));
    const entries = engine.range()[Symbol.asyncIterator]();
    const first = await entries.next();
    await engine.batch([put('k1400', 'new'), del('k1401'), put('k0', 'new'), put('k9', 'new')]);
    const seen = [first.value as EngineEntry];
    for (let next = await entries.next(); next.done !== true; next = await entries.next()) seen.push(next.value);
    expect([seen.length, new Set(seen.map((entry) => text(entry.value)))]).toEqual([500, new Set(['old'])]);
    for await (const entry of engine.range({ reverse: true })) {
      expect(text(entry.key)).toBe('k9');
      break;
    }
    const controller = new AbortController();
    const reading = async () => {
      for await (const _ of engine.range({ signal: controller.signal })) controller.abort(new Error('enough'));
    };
    await expect(reading()).rejects.toThrow('enough');
    await engine.close();
  });

  test('an export is everything at its sequence while batches go on, expired entries too', async () => {
    const engine = await open();
    const model = new ModelStore();
    const states = new Map<number, EngineEntry[]>();
    const random = createSeededRandom(seed + 1);
    const writes: Promise<unknown>[] = [];
    const exports = [];
    for (let i = 0; i < 30; i++) {
      const batch = randomBatch(random);
      model.apply(batch);
      states.set(model.sequence, plain(model.range({}, 0)));
      writes.push(engine.batch(batch));
      if (i % 10 !== 5) continue;
      await writes[i - 3];
      exports.push(
        engine.exportEntries().then(async ({ sequence, entries }) => ({ sequence, found: await all(entries) })),
      );
    }
    await Promise.all(writes);
    for (const { sequence, found } of await Promise.all(exports)) expect(found).toEqual(states.get(sequence));
    await engine.close();
  });

  test('a merge gives back what has expired by the horizon and keeps the rest', async () => {
    let horizonMs = 0;
    const directory = newDirectory();
    const engine = await open(directory, { horizon: () => horizonMs });
    const value = 'v'.repeat(100);
    await engine.batch(Array.from({ length: 300 }, (_, i) => put(`k${1000 + i}`, value, i % 3 === 0 ? 50 : undefined)));
    await engine.batch([put('k1003', 'anew')]);
    horizonMs = 50;
    await engine.merge({ force: true });
    expect(engine.stats().keysByFirstByte['k'.charCodeAt(0)]).toBe(201);
    expect(await all(engine.range({ horizonMs: 0 }))).toHaveLength(201);
    expect(engine.stats().lastSequence).toBe(301);
    await engine.close();
    const again = await open(directory);
    expect(text(again.getEntrySync(bytes('k1003'))?.value)).toBe('anew');
    expect(again.stats().keysByFirstByte['k'.charCodeAt(0)]).toBe(201);
    expect(await again.batch([put('z', '')])).toEqual({ sequence: 302 });
    await again.close();
  });

  test('the death of the process loses no batch that completed, and shows none by half', async () => {
    const directory = newDirectory();
    const engine = await open(directory);
    for (let i = 1; i <= 40; i++) {
      await engine.batch([put('applied', `${i}`), put(`k${i}`, 'x'.repeat(500)), del(`k${i - 5}`)]);
      if (i === 10) await engine.checkpoint();
    }
    const copy = copyOf(directory);
    await engine.close();
    const recovered = await open(copy);
    expect(recovered.stats().lastSequence).toBe(120);
    expect(text(recovered.getEntrySync(bytes('applied'))?.value)).toBe('40');
    expect(await all(recovered.range({ prefix: bytes('k') }))).toHaveLength(5);
    await recovered.close();
  });

  test(`a power failure leaves a prefix of the batches that holds the checkpoint (seed ${seed})`, async () => {
    const random = createSeededRandom(seed);
    for (let round = 0; round < (deep ? 60 : 12); round++) {
      const directory = newDirectory();
      const engine = await open(directory);
      const write = (i: number) => engine.batch([put('applied', `${i}`), put(`k${i}`, 'x'.repeat(random.below(900)))]);
      for (let i = 1; i <= 5; i++) await write(i);
      await engine.checkpoint();
      const [before] = newestLog(directory);
      const durableBytes = before === undefined ? 0 : statSync(`${directory}/${before}`).size;
      for (let i = 6; i <= 12; i++) await write(i);
      const copy = copyOf(directory);
      await engine.close();
      const [log] = newestLog(copy);
      assert.equal(log, before, 'the workload fits one log');
      tear(`${copy}/${log}`, durableBytes, random);
      const recovered = await open(copy);
      const applied = Number(text(recovered.getEntrySync(bytes('applied'))?.value));
      assert.ok(applied >= 5 && applied <= 12, `seed ${seed}, round ${round}: ${applied}`);
      const kept = (await all(recovered.range({ prefix: bytes('k') }))).length;
      assert.equal(kept, applied, `seed ${seed}, round ${round}: ${kept} of ${applied} batches`);
      assert.equal(recovered.stats().lastSequence, 2 * applied, `seed ${seed}, round ${round}`);
      await recovered.batch([put('applied', 'on'), put('l', '')]);
      await recovered.close();
    }
  });

  test('a flipped byte never gives a wrong value: it is found at opening or by the read that meets it', async () => {
    const directory = newDirectory();
    const engine = await open(directory);
    const random = createSeededRandom(seed);
    const values = new Map(
      Array.from({ length: 60 }, (_, i) => [`key-${i}`, Buffer.from(random.bytes(100)).toString('hex')]),
    );
    for (const [key, value] of values) await engine.batch([put(key, value)]);
    await engine.merge({ force: true });
    await engine.close();
    let told = 0;
    for (let round = 0; round < (deep ? 400 : 40); round++) {
      const copy = copyOf(directory);
      const largest = readdirSync(copy)
        .map((file) => `${copy}/${file}`)
        .sort((a, b) => statSync(b).size - statSync(a).size)[0] as string;
      const content = readFileSync(largest);
      const at = random.below(content.length);
      content[at] = (content[at] as number) ^ (1 << random.below(8));
      writeFileSync(largest, content);
      told += await damageTold(() => open(copy), values, `seed ${seed}, byte ${at}`);
      rmSync(copy, { recursive: true });
    }
    expect(told).toBeGreaterThan(deep ? 200 : 20);
  });

  test('a closed engine says so, closing twice is closing once, and mistakes are told', async () => {
    const engine = await open();
    await expect(engine.batch([])).rejects.toThrow(RangeError);
    await expect(engine.batch([put('', '1')])).rejects.toThrow();
    await expect(engine.batch([put('k'.repeat(1_001), '1')])).rejects.toThrow();
    await expect(engine.batch([put('k', 'v'.repeat(1_000_001))])).rejects.toThrow();
    expect(await engine.batch([put('k', '1')])).toEqual({ sequence: 1 });
    const pending = engine.batch([put('l', '1')]);
    await Promise.all([engine.close(), engine.close(), pending]);
    await expect(engine.getEntry(bytes('k'))).rejects.toEqual(failing('CLOSED'));
    await expect(engine.batch([put('k', '1')])).rejects.toEqual(failing('CLOSED'));
    expect(() => engine.getEntrySync(bytes('k'))).toThrow(failing('CLOSED'));
  });
}

/** The file a crash may tear: the one that batches are appended to. */
function newestLog(directory: string): string[] {
  const names = readdirSync(directory).filter((file) => /\.(?:log|data)$/.test(file));
  return names.sort((a, b) => Number.parseInt(b, 10) - Number.parseInt(a, 10));
}

/** What a power failure does to bytes that were not synced: sectors are there or not, and the end may be missing. */
function tear(path: string, from: number, random: ReturnType<typeof createSeededRandom>): void {
  const content = readFileSync(path);
  for (let at = from; at < content.length; at = (Math.floor(at / 512) + 1) * 512) {
    if (random.below(3) === 0) content.fill(0, at, Math.min(content.length, (Math.floor(at / 512) + 1) * 512));
  }
  const length = random.below(2) === 0 ? content.length : from + random.below(content.length - from + 1);
  writeFileSync(path, content.subarray(0, length));
}

/** 1 where opening or a read told of damage, 0 where everything was read as it was written. */
async function damageTold(
  open: () => Promise<StorageEngine>,
  values: ReadonlyMap<string, string>,
  where: string,
): Promise<number> {
  let engine: StorageEngine;
  try {
    engine = await open();
  } catch (error) {
    assert.equal((error as { code?: unknown }).code, 'CORRUPT', `${where}: ${error}`);
    return 1;
  }
  let told = 0;
  for (const [key, value] of values) {
    try {
      const found = text((await engine.getEntry(bytes(key)))?.value);
      assert.equal(found, value, `${where}: ${key}`);
    } catch (error) {
      assert.equal((error as { code?: unknown }).code, 'CORRUPT', `${where}: ${error}`);
      told = 1;
    }
  }
  await engine.close().catch(() => undefined);
  return told;
}
