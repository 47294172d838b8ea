import assert from 'node:assert/strict';
import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk, type FaultDisk } from '@shanghai/env/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BatchOperation, Bitcask, BitcaskEntry, RangeOptions } from '../src/bitcask.js';
import { ModelStore } from '../src/testing/model-store.js';
import { bytesOf, openOn, textOf } from './history.js';

const runs = process.env['SHANGHAI_DEEP'] === '1' ? 2_000 : 30;
const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_240_911);
const horizonMs = 1_000;

const keyOf = (number: number) => bytesOf(`${number % 7}/${String(number).padStart(5, '0')}`);

/** Puts in random order, some that expire, some compressible and large, then some deletes. */
function operationsOf(random: { below(limit: number): number }, keys: number): BatchOperation[][] {
  const numbers = Array.from({ length: keys }, (_, i) => i).sort(() => random.below(3) - 1);
  const groups: BatchOperation[][] = [];
  for (let from = 0; from < keys; from += 50) {
    groups.push(
      numbers.slice(from, from + 50).map((number): BatchOperation => {
        const value = new Uint8Array(random.below(number % 40 === 0 ? 20_000 : 150)).fill(number);
        const put = { type: 'put', key: keyOf(number), value } as const;
        return number % 9 === 0 ? { ...put, expiresAtMs: number % 2 === 0 ? 500 : 5_000 } : put;
      }),
    );
  }
  if (keys > 0) groups.push(Array.from({ length: 20 }, () => ({ type: 'delete', key: keyOf(random.below(keys)) })));
  return groups;
}

interface Case {
  readonly keys: number;
  readonly seed: number;
  readonly merged: boolean;
  readonly codec: 'none' | 'lz4';
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly prefix: number | undefined;
  readonly reverse: boolean;
  readonly limit: number | undefined;
  readonly keysOnly: boolean;
  /** Whether it is iterated over in pages. */
  readonly pages: boolean;
  /** Rows after which the store changes below the iterator, 0 = never. */
  readonly changeAfter: number;
  /** Rows after which it is left. */
  readonly leaveAfter: number | undefined;
}

const optional = (most: number) => fc.option(fc.integer({ min: 0, max: most }), { nil: undefined });
const cases: fc.Arbitrary<Case> = fc.record({
  keys: fc.constantFrom(0, 1, 40, 900, 4_000),
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  merged: fc.boolean(),
  codec: fc.constantFrom('none', 'lz4'),
  from: optional(4_000),
  to: optional(4_000),
  prefix: optional(7),
  reverse: fc.boolean(),
  limit: optional(1_500),
  keysOnly: fc.boolean(),
  pages: fc.boolean(),
  changeAfter: fc.integer({ min: 0, max: 600 }),
  leaveAfter: fc.option(fc.integer({ min: 1, max: 700 }), { nil: undefined, freq: 3 }),
});

function optionsOf(one: Case): RangeOptions {
  return {
    horizonMs,
    reverse: one.reverse,
    keysOnly: one.keysOnly,
    ...(one.from !== undefined && { start: keyOf(one.from) }),
    ...(one.to !== undefined && { end: keyOf(one.to) }),
    ...(one.prefix !== undefined && { prefix: bytesOf(`${one.prefix}/`) }),
    ...(one.limit !== undefined && { limit: one.limit }),
  };
}

async function* rowsOf(store: Bitcask, options: RangeOptions, inPages: boolean): AsyncGenerator<BitcaskEntry> {
  if (!inPages) yield* store.range(options);
  else
    for await (const page of store.range(options).pages()) {
      assert.ok(page.length > 0 && page.length <= 1_024);
      yield* page;
    }
}

/** Overwrites, deletes, adds, and moves every record. */
async function change(store: Bitcask, keys: number): Promise<void> {
  const operations: BatchOperation[] = [];
  for (let number = 0; number < keys; number += 3) {
    if (number % 2 === 0) operations.push({ type: 'delete', key: keyOf(number) });
    else operations.push({ type: 'put', key: keyOf(number), value: bytesOf('later') });
  }
  operations.push({ type: 'put', key: bytesOf('3/added'), value: bytesOf('later') });
  await store.batch(operations);
  await store.merge({ force: true });
}

async function compare(one: Case): Promise<void> {
  const disk = createFaultDisk({ seed: one.seed });
  const store = await openOn(disk, {
    durability: 'never',
    segmentBytes: 65_536,
    maxOpenFiles: 4,
    horizon: () => horizonMs,
    compression: { codec: one.codec, minBytes: 64 },
  });
  const model = new ModelStore();
  for (const group of operationsOf(createSeededRandom(one.seed), one.keys)) {
    if (group.length === 0) continue;
    await store.batch(group);
    model.apply(group);
  }
  if (one.merged) await store.merge({ force: true });
  const options = optionsOf(one);
  const expected = model.range(options, horizonMs).slice(0, one.leaveAfter);
  let row = 0;
  for await (const entry of rowsOf(store, options, one.pages)) {
    assert.deepEqual(plain(entry), plain(expected[row] as BitcaskEntry), `row ${row}`);
    if (++row === one.changeAfter) await change(store, one.keys);
    if (row === one.leaveAfter) break;
  }
  assert.equal(row, expected.length);
  await store.close();
  assert.equal(disk.openFiles, 0);
}

/** Without the identity of buffers, and quick to compare. */
function plain(entry: BitcaskEntry): unknown {
  return [textOf(entry.key), Buffer.from(entry.value).toString('latin1'), entry.sequence, entry.expiresAtMs];
}

test('every form of range equals the model, left early, in pages, under writes and merges', async () => {
  await fc.assert(fc.asyncProperty(cases, compare), { seed, numRuns: runs });
});

/** A sealed store of neighbours: 3,000 keys in order, values that tell their number. */
async function filled(disk: FaultDisk, keys = 3_000): Promise<Bitcask> {
  const store = await openOn(disk, { durability: 'never', segmentBytes: 1_048_576 });
  const operations = Array.from({ length: keys }, (_, number): BatchOperation => {
    const text = String(number).padStart(6, '0');
    return { type: 'put', key: bytesOf(text), value: bytesOf(`value ${text} ${'x'.repeat(50)}`) };
  });
  await store.batch(operations);
  await store.close();
  return openOn(disk, { durability: 'never', segmentBytes: 1_048_576 });
}

function dataFile(disk: FaultDisk): string {
  return disk.files().find((path) => path.endsWith('.data')) as string;
}

function damage(disk: FaultDisk, number: number): void {
  const path = dataFile(disk);
  const at = Buffer.from(disk.contents(path)).indexOf(`value ${String(number).padStart(6, '0')}`);
  assert.ok(at > 0);
  disk.corrupt(path, at + 20, 1);
}

for (const reverse of [false, true]) {
  test(`a damaged record fails its own row, after all rows before it are given (reverse: ${reverse})`, async () => {
    const disk = createFaultDisk({ seed });
    const store = await filled(disk);
    damage(disk, 1_234);
    const seen: string[] = [];
    const iterating = (async () => {
      for await (const { key } of store.range({ reverse })) seen.push(textOf(key));
    })();
    await expect(iterating).rejects.toMatchObject({ code: 'CORRUPT' });
    expect(seen).toHaveLength(reverse ? 3_000 - 1_235 : 1_234);
    expect(seen.at(-1)).toBe(reverse ? '001235' : '001233');
    await store.close();
  });
}

test('a call of the disk that fails once costs no row: each record is read by itself then', async () => {
  const disk = createFaultDisk({ seed });
  const store = await filled(disk);
  let rows = 0;
  for await (const _ of store.range()) {
    if (++rows === 1) disk.inject({ operation: 'read', effect: { kind: 'error', code: 'EIO' } });
  }
  expect(rows).toBe(3_000);
  await store.close();
});

test('a disk that fails every read fails the range with IO_ERROR', async () => {
  const disk = createFaultDisk({ seed });
  const store = await filled(disk, 300);
  disk.inject({ operation: 'read', times: Number.POSITIVE_INFINITY, effect: { kind: 'error', code: 'EIO' } });
  const read = async () => {
    for await (const _ of store.range()) assert.fail('no row can be read');
  };
  await expect(read()).rejects.toMatchObject({ code: 'IO_ERROR' });
  await store.close();
});

test('a disk that hangs holds up neither the event loop nor abort and return', async () => {
  const disk = createFaultDisk({ seed });
  const store = await filled(disk);
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  disk.inject({ operation: 'read', times: Number.POSITIVE_INFINITY, effect: { kind: 'stall', release: released } });
  const controller = new AbortController();
  const aborted = store.range({ signal: controller.signal })[Symbol.asyncIterator]().next();
  const left = store.range()[Symbol.asyncIterator]();
  const leftNext = left.next();
  const got = store.get(bytesOf('000001'));
  let turns = 0;
  for (; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve));
  expect(turns).toBe(50);
  controller.abort(new Error('enough'));
  await expect(aborted).rejects.toThrow('enough');
  expect(await left.return?.()).toEqual({ done: true, value: undefined });
  release();
  expect(await leftNext).toEqual({ done: true, value: undefined });
  expect(textOf((await got) as Uint8Array)).toContain('value 000001');
  await store.close();
  expect(disk.openFiles).toBe(0);
});

test('the event loop turns while rows are at hand', async () => {
  const store = await filled(createFaultDisk({ seed }), 20_000);
  for (const keysOnly of [false, true]) {
    let turns = 0;
    let reading = true;
    const turning = (async () => {
      for (; reading; turns++) await new Promise((resolve) => setImmediate(resolve));
    })();
    for await (const _ of store.range({ keysOnly }));
    reading = false;
    await turning;
    expect(turns).toBeGreaterThanOrEqual(15);
  }
  await store.close();
});

test('calls of next that overlap are answered in order', async () => {
  const store = await filled(createFaultDisk({ seed }), 100);
  const iterator = store.range()[Symbol.asyncIterator]();
  const results = await Promise.all(Array.from({ length: 102 }, () => iterator.next()));
  const keys = results.map(({ value }) => (value === undefined ? undefined : textOf(value.key)));
  expect(keys.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, i) => String(i).padStart(6, '0')));
  expect(results.slice(100).every(({ done }) => done === true)).toBe(true);
  await store.close();
});

test('values are the caller’s: changing one changes neither another nor what is read later', async () => {
  const store = await filled(createFaultDisk({ seed }), 500);
  const texts: string[] = [];
  for await (const page of store.range().pages()) {
    for (const { value } of page) {
      texts.push(textOf(value));
      value.fill(0);
    }
  }
  expect(texts).toEqual(Array.from({ length: 500 }, (_, i) => `value ${String(i).padStart(6, '0')} ${'x'.repeat(50)}`));
  for await (const { value } of store.range()) expect(textOf(value)).toMatch(/^value/u);
  await store.close();
});

test('without descriptors a read gives back those of the pool, and fails only where there are none', async () => {
  const disk = createFaultDisk({ seed });
  const store = await openOn(disk, { durability: 'never', segmentBytes: 4_096, maxOpenFiles: 4 });
  for (let number = 0; number < 200; number++) await store.put(keyOf(number), new Uint8Array(100).fill(number));
  for (let number = 0; number < 200; number++) await store.get(keyOf(number));
  disk.inject({ operation: 'open', times: 2, effect: { kind: 'error', code: 'EMFILE' } });
  expect((await store.get(keyOf(5)))?.[0]).toBe(5);
  const stop = disk.inject({ operation: 'open', times: 100, effect: { kind: 'error', code: 'ENFILE' } });
  await expect(store.get(keyOf(40))).rejects.toMatchObject({ code: 'IO_ERROR' });
  stop();
  expect((await store.get(keyOf(40)))?.[0]).toBe(40);
  await store.close();
  expect(disk.openFiles).toBe(0);
});
