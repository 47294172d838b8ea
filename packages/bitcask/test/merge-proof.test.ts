import assert from 'node:assert/strict';
import { createFaultDisk, createManualClock, enumerateCrashes, type FaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import type { Bitcask } from '../src/bitcask.js';
import type { BitcaskOptions } from '../src/bitcask-options.js';
import { bytesOf, contentsOf, type History, openOn, startHistory, stateAfter, textOf } from './history.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const large = (mark: string) => bytesOf(mark.repeat(900));
const partial = { merge: { enabled: false, staleRatio: 0.3, minSegments: 1 } } as const;

/** Ends the active segment: the next write begins another. */
async function reopen(disk: FaultDisk, store: Bitcask, options: Partial<BitcaskOptions>): Promise<Bitcask> {
  await store.close();
  return openOn(disk, options);
}

test('a segment sealed in the middle of a turn is no input before its records are visible', async () => {
  const disk = createFaultDisk({ seed: 41 });
  const options = { merge: { enabled: false, staleRatio: 0.1, minSegments: 1 } };
  let store = await openOn(disk, options);
  // Half a segment: the writes that follow go partly into it, partly into the next, in one turn.
  await store.put(bytesOf('first'), bytesOf('1'.repeat(2_000)));
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  // The header of the second segment is synced, then nothing more: the turn that filled the first one hangs.
  disk.inject({ operation: 'sync', path: /0000000002\.data$/, after: 1, effect: { kind: 'stall', release: released } });
  const keys = Array.from({ length: 8 }, (_, i) => `k${i}`);
  const writing = Promise.all(keys.map((key) => store.put(bytesOf(key), large(key.slice(1)))));
  for (let turns = 0; turns < 500; turns++) await Promise.resolve();
  expect(disk.files()).toContain('/store/0000000002.data');
  expect(await store.merge()).toMatchObject({ segmentsMerged: 0 });
  release();
  await writing;
  expect(await keysOf(store)).toEqual(['first', ...keys]);
  store = await reopen(disk, store, options);
  expect(await keysOf(store)).toEqual(['first', ...keys]);
  await store.close();
});

test('an expired key stays hidden when the merge that would have removed it fails and another one follows', async () => {
  const disk = createFaultDisk({ seed: 42 });
  let nowMs = 1_000;
  const options = { ...partial, horizon: () => nowMs };
  let store = await openOn(disk, options);
  await store.put(bytesOf('k'), bytesOf('old'));
  for (const key of ['a', 'b', 'c', 'd']) await store.put(bytesOf(key), large(key));
  store = await reopen(disk, store, options);
  await store.put(bytesOf('k'), bytesOf('new'), { expiresAtMs: 2_000 });
  await store.put(bytesOf('x'), large('1'));
  await store.put(bytesOf('x'), bytesOf('2'));
  store = await reopen(disk, store, options);
  nowMs = 2_000;
  disk.inject({ operation: 'rename', path: /\.hint/, effect: { kind: 'error', code: 'EIO' } });
  await expect(store.merge()).rejects.toMatchObject({ code: 'IO_ERROR' });
  expect(store.stats().merge).toMatchObject({ failures: 1, runs: 0 });
  expect(await store.merge()).toMatchObject({ segmentsMerged: 1 });
  store = await reopen(disk, store, options);
  expect(await store.get(bytesOf('k'))).toBeUndefined();
  expect(await keysOf(store)).toEqual(['a', 'b', 'c', 'd', 'x']);
  await store.close();
});

test('a damaged segment fails one merge of the background, is reported once, and the others are merged', async () => {
  const disk = createFaultDisk({ seed: 43 });
  const clock = createManualClock();
  const failed: string[] = [];
  const listener = { mergeFailed: ({ error }: { error: Error }) => void failed.push(error.message) };
  const merge = { enabled: true, staleRatio: 0.3, minSegments: 2, checkIntervalMs: 1_000 };
  const store = await openOn(disk, { clock, listener, merge });
  await store.put(bytesOf('keep'), bytesOf('this one lives'));
  for (let i = 0; i < 40; i++) await store.put(bytesOf(`k${i % 6}`), large(`${i % 10}`));
  disk.corrupt('/store/0000000001.data', 90, 0x10);
  for (let round = 0; round < 20; round++) {
    await store.put(bytesOf('k1'), large(`${round % 10}`));
    await store.put(bytesOf('k2'), large(`${round % 10}`));
    await clock.advance(1_500);
  }
  expect(failed).toEqual([expect.stringContaining('0000000001.data')]);
  const { runs, failures, lastFailure, pinnedBy } = store.stats().merge;
  expect(runs).toBeGreaterThan(2);
  expect([failures, lastFailure?.message]).toEqual([1, failed[0]]);
  expect(pinnedBy.join()).toMatch(/dead bytes lie in damaged segments, which are not merged: '.*0000000001\.data'/);
  await expect(store.merge({ force: true })).rejects.toMatchObject({ code: 'CORRUPT' });
  await store.close();
});

test('a damaged hint does not fail a merge: it is written again', async () => {
  const disk = createFaultDisk({ seed: 44 });
  const store = await openOn(disk);
  for (let i = 0; i < 20; i++) await store.put(bytesOf(`k${i % 6}`), large(`${i % 10}`));
  await store.verify();
  const contents = await contentsOf(store);
  disk.corrupt('/store/0000000002.hint', 100, 1);
  expect(await store.merge({ force: true })).toMatchObject({ recordsCopied: 6 });
  expect(await contentsOf(store)).toEqual(contents);
  await store.close();
});

test('a merge whose output cannot be written leaves nothing and everything', async () => {
  for (const code of ['ENOSPC', 'EIO']) {
    for (const operation of ['open', 'write', 'sync', 'rename'] as const) {
      const disk = createFaultDisk({ seed: 45 });
      const store = await openOn(disk);
      for (let i = 0; i < 20; i++) await store.put(bytesOf(`k${i % 6}`), large(`${i % 10}`));
      await store.verify();
      const before = await contentsOf(store);
      const files = disk.files().filter((path) => path.endsWith('.data')).length;
      const stop = disk.inject({
        operation,
        path: /\.hint/,
        times: Number.POSITIVE_INFINITY,
        effect: { kind: 'error', code },
      });
      await expect(store.merge({ force: true })).rejects.toMatchObject({
        code: code === 'ENOSPC' ? 'DISK_FULL' : 'IO_ERROR',
      });
      stop();
      expect(disk.files().filter((path) => path.endsWith('.data')).length).toBe(files);
      expect(disk.files().filter((path) => path.endsWith('.tmp'))).toEqual([]);
      expect(await contentsOf(store)).toEqual(before);
      expect(await store.merge({ force: true })).toMatchObject({ recordsCopied: 6 });
      await store.close();
    }
  }
});

test('the rate may change while a merge waits', async () => {
  const disk = createFaultDisk({ seed: 46 });
  const store = await openOn(disk, { clock: createManualClock(), merge: { enabled: false, bytesPerSecond: 1 } });
  for (let i = 0; i < 20; i++) await store.put(bytesOf(`k${i % 6}`), large(`${i % 10}`));
  await store.verify();
  const merging = store.merge({ force: true });
  for (let turns = 0; turns < 2_000; turns++) await Promise.resolve();
  expect(store.stats().merge).toMatchObject({ state: 'running', progress: { onThread: false, reason: 'stale' } });
  expect(() => store.setMergeRate(-1)).toThrow(RangeError);
  store.setMergeRate(0);
  await expect(merging).resolves.toMatchObject({ recordsCopied: 6 });
  const { bytesRead, bytesWritten, last, bytesPerSecond, progress } = store.stats().merge;
  expect([bytesRead, bytesWritten, bytesPerSecond, progress]).toEqual([bytesWritten, bytesRead, 0, undefined]);
  expect(last?.bytesAfter).toBeGreaterThan(bytesWritten);
  await store.close();
});

test('tombstones that cannot be shown to be needed do not make merges repeat', async () => {
  const disk = createFaultDisk({ seed: 47 });
  let store = await openOn(disk, partial);
  await store.put(bytesOf('k'), bytesOf('old'));
  for (const key of ['a', 'b', 'c', 'd']) await store.put(bytesOf(key), large(key));
  store = await reopen(disk, store, partial);
  await store.delete(bytesOf('k'));
  await store.put(bytesOf('x'), large('1'));
  await store.put(bytesOf('x'), bytesOf('2'));
  store = await reopen(disk, store, partial);
  // The older segment cannot be asked.
  disk.corrupt('/store/0000000001.hint', 100, 1);
  expect(await store.merge()).toMatchObject({ segmentsMerged: 1, tombstonesDropped: 0 });
  expect(await store.merge()).toMatchObject({ segmentsMerged: 0 });
  expect(store.stats().merge.pinnedBy.join()).toMatch(/\d+ bytes of tombstones in 1 segments hide older records/);
  store = await reopen(disk, store, partial);
  expect(await store.get(bytesOf('k'))).toBeUndefined();
  await store.close();
});

/** What a partial merge must get right all at once: tombstones, expiry, an iterator, writes beside it. */
class Mixed {
  readonly store: Bitcask;
  readonly history: History;

  constructor(store: Bitcask, history: History) {
    this.store = store;
    this.history = history;
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.#do(key, textOf(value), () => this.store.put(bytesOf(key), value));
  }

  async delete(key: string): Promise<void> {
    await this.#do(key, undefined, () => this.store.delete(bytesOf(key)));
  }

  /** A write that has expired by the time it is read: it only hides what was there. */
  async putExpired(key: string): Promise<void> {
    await this.#do(key, undefined, () => this.store.put(bytesOf(key), bytesOf('gone'), { expiresAtMs: 5 }));
  }

  async #do(key: string, value: string | undefined, call: () => Promise<unknown>): Promise<void> {
    this.history.groups.push(new Map([[key, value]]));
    const count = this.history.groups.length;
    await call();
    if (this.store.stats().durability === 'always') this.history.durableGroups = count;
  }
}

async function prepareMixed(disk: FaultDisk, options: Partial<BitcaskOptions>, history: History): Promise<void> {
  const first = new Mixed(await openOn(disk, options), history);
  await first.put('k', bytesOf('old'));
  await first.put('e', bytesOf('old'));
  for (const key of ['a', 'b', 'c']) await first.put(key, large(key));
  await first.store.close();
  const second = new Mixed(await openOn(disk, options), history);
  await second.delete('k');
  await second.putExpired('e');
  await second.putExpired('f');
  await second.put('x', large('1'));
  await second.put('x', bytesOf('2'));
  await second.store.close();
  history.durableGroups = history.groups.length;
}

async function runMixed(mixed: Mixed): Promise<void> {
  const { store } = mixed;
  const iterator = store.range()[Symbol.asyncIterator]();
  await iterator.next();
  const merging = store.merge();
  merging.catch(() => undefined);
  await mixed.put('x', bytesOf('during'));
  await mixed.delete('a');
  await merging;
  await mixed.putExpired('b');
  await mixed.put('k', bytesOf('again'));
  await store.merge();
  while ((await iterator.next()).done !== true);
  await mixed.delete('k');
  await store.merge({ force: true });
  await store.close();
}

async function visibleIn(store: Bitcask): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { key, value } of store.range()) found.set(textOf(key), textOf(value));
  for (const key of ['a', 'b', 'c', 'e', 'f', 'k', 'x']) {
    const value = await store.get(bytesOf(key));
    assert.equal(value === undefined ? undefined : textOf(value), found.get(key), `range and get differ at '${key}'`);
  }
  return found;
}

async function assertMixed(disk: FaultDisk, options: Partial<BitcaskOptions>, history: History): Promise<void> {
  for (const merges of [false, true]) {
    const store = await openOn(disk, options);
    if (merges) await store.merge();
    const found = [...(await visibleIn(store))];
    assert.deepEqual((await store.verify()).problems, []);
    const { groups, durableGroups } = history;
    const counts = Array.from({ length: groups.length - durableGroups + 1 }, (_, i) => durableGroups + i);
    const isPrefix = counts.some((count) => same(found, [...stateAfter(history, count)].sort()));
    assert.ok(isPrefix, `no prefix: ${found.map(([key, value]) => `${key}=${value.slice(0, 6)}`).join(' ')}`);
    await store.close();
  }
}

function same(a: readonly (readonly string[])[], b: readonly (readonly string[])[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

for (const durability of ['always', 'never'] as const) {
  test(`tombstones, expiry, an iterator and writes beside partial merges: a crash after any step leaves a prefix (${durability})`, async () => {
    const options = { ...partial, durability, horizon: () => 1_000 };
    let prepared = startHistory();
    const coverage = await enumerateCrashes({
      prepare: async (disk: FaultDisk) => {
        prepared = startHistory();
        await prepareMixed(disk, options, prepared);
      },
      start: (): History => ({ groups: [...prepared.groups], durableGroups: prepared.durableGroups }),
      run: async (disk: FaultDisk, history: History) => runMixed(new Mixed(await openOn(disk, options), history)),
      recover: async (disk: FaultDisk) => (await openOn(disk, options)).close(),
      verify: (disk: FaultDisk, history: History) => assertMixed(disk, options, history),
      randomDraws: deep ? 20 : 1,
    });
    expect(coverage.cases).toBeGreaterThan(200);
  });
}

async function keysOf(store: Bitcask): Promise<string[]> {
  return [...(await visibleOf(store)).keys()];
}

async function visibleOf(store: Bitcask): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { key, value } of store.range()) found.set(textOf(key), textOf(value));
  return found;
}
