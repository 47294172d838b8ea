import assert from 'node:assert/strict';
import { createFaultDisk, createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import type { Bitcask } from '../src/bitcask.js';
import type { BitcaskError } from '../src/bitcask-error.js';
import { bytesOf, contentsOf, openOn, textOf } from './history.js';

const large = (mark: string) => bytesOf(mark.repeat(900));

/** Ends the active segment: the next write begins another. */
async function reopen(disk: Parameters<typeof openOn>[0], store: Bitcask, options?: Parameters<typeof openOn>[1]) {
  await store.close();
  return openOn(disk, options);
}

async function keysOf(store: Bitcask): Promise<string[]> {
  return [...(await contentsOf(store)).keys()];
}

test('a deleted key does not come back when only the segment of its tombstone is merged', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const merging = { merge: { enabled: false, staleRatio: 0.3, minSegments: 1 } };
  let store = await openOn(disk, merging);
  await store.put(bytesOf('k'), bytesOf('old'));
  for (const key of ['a', 'b', 'c', 'd']) await store.put(bytesOf(key), large(key));
  store = await reopen(disk, store, merging);
  // This segment is mostly dead, the one with the put is not: only this one is merged.
  await store.delete(bytesOf('k'));
  await store.put(bytesOf('x'), large('1'));
  await store.put(bytesOf('x'), bytesOf('2'));
  store = await reopen(disk, store, merging);
  const merged = await store.merge();
  expect(merged).toMatchObject({ segmentsMerged: 1, tombstonesDropped: 0, recordsCopied: 1 });
  store = await reopen(disk, store, merging);
  expect(await store.get(bytesOf('k'))).toBeUndefined();
  expect(await keysOf(store)).toEqual(['a', 'b', 'c', 'd', 'x']);
  // Its tombstone is needed: it does not count as dead, or the segment would be merged for ever.
  expect(await store.merge()).toMatchObject({ segmentsMerged: 0 });
  await store.close();
});

test('a tombstone goes when no older segment holds its key, although older segments stay', async () => {
  const disk = createFaultDisk({ seed: 2 });
  const merging = { merge: { enabled: false, staleRatio: 0.3, minSegments: 1 } };
  let store = await openOn(disk, merging);
  for (const key of ['a', 'b', 'c', 'd']) await store.put(bytesOf(key), large(key));
  store = await reopen(disk, store, merging);
  for (let i = 0; i < 20; i++) {
    await store.put(bytesOf(`job ${i}`), bytesOf('x'.repeat(50)));
    await store.delete(bytesOf(`job ${i}`));
  }
  store = await reopen(disk, store, merging);
  expect(await store.merge()).toMatchObject({ segmentsMerged: 1, tombstonesDropped: 20, bytesAfter: 0 });
  // What is left dead are the marks of the first segment, one a sync but the first.
  expect(store.stats().deadBytes).toBe(3 * 28);
  await store.close();
});

test('the disk does not grow while keys come and go, with merges in the background', async () => {
  const disk = createFaultDisk({ seed: 3 });
  const clock = createManualClock();
  const store = await openOn(disk, { clock, merge: { enabled: true, bytesPerSecond: 0, checkIntervalMs: 1_000 } });
  for (const key of ['base 1', 'base 2', 'base 3', 'base 4', 'base 5']) await store.put(bytesOf(key), large('b'));
  let most = 0;
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < 8; i++) await store.put(bytesOf(`job ${round} ${i}`), bytesOf('y'.repeat(300)));
    for (let i = 0; i < 8; i++) await store.delete(bytesOf(`job ${round} ${i}`));
    await clock.advance(1_500);
    const bytes = disk.files().reduce((sum, path) => sum + disk.contents(path).length, 0);
    if (round > 10) most = Math.max(most, bytes);
  }
  expect(store.stats().merge.runs).toBeGreaterThan(5);
  expect(most).toBeLessThan(60_000);
  expect(store.size).toBe(5);
  await store.close();
});

test('an expired record hides older ones until they are gone, merged or not', async () => {
  const disk = createFaultDisk({ seed: 4 });
  let nowMs = 1_000;
  const options = { horizon: () => nowMs, merge: { enabled: false, staleRatio: 0.3, minSegments: 1 } };
  let store = await openOn(disk, options);
  await store.put(bytesOf('k'), bytesOf('old'));
  for (const key of ['a', 'b', 'c', 'd']) await store.put(bytesOf(key), large(key));
  store = await reopen(disk, store, options);
  await store.put(bytesOf('k'), bytesOf('new'), { expiresAtMs: 2_000 });
  await store.put(bytesOf('x'), large('1'));
  await store.put(bytesOf('x'), bytesOf('2'));
  store = await reopen(disk, store, options);
  expect(textOf((await store.get(bytesOf('k'))) as Uint8Array)).toBe('new');
  nowMs = 2_000;
  expect(await store.get(bytesOf('k'))).toBeUndefined();
  expect(store.has(bytesOf('k'))).toBe(false);
  expect(await store.merge()).toMatchObject({ segmentsMerged: 1, recordsCopied: 1 });
  store = await reopen(disk, store, options);
  expect(await store.get(bytesOf('k'))).toBeUndefined();
  await store.merge({ force: true });
  store = await reopen(disk, store, options);
  expect(await keysOf(store)).toEqual(['a', 'b', 'c', 'd', 'x']);
  await store.close();
});

test('sequences go on rising although the newest records were merged away', async () => {
  const disk = createFaultDisk({ seed: 5 });
  let store = await openOn(disk);
  await store.put(bytesOf('a'), bytesOf('1'));
  await store.delete(bytesOf('a'));
  await store.merge({ force: true });
  expect(store.stats()).toMatchObject({ keys: 0, segments: 0 });
  store = await reopen(disk, store);
  expect(await store.put(bytesOf('a'), bytesOf('2'))).toEqual({ sequence: 3 });
  await store.close();
});

test('writes during a merge win, wherever the merge stands', async () => {
  for (let delaySteps = 0; delaySteps < 60; delaySteps += 3) {
    const disk = createFaultDisk({ seed: 6 });
    const store = await openOn(disk);
    for (let i = 0; i < 12; i++) await store.put(bytesOf(`k${i % 4}`), bytesOf(`${i}`.repeat(300)));
    const merging = store.merge({ force: true });
    for (let i = 0; i < delaySteps; i++) await Promise.resolve();
    await Promise.all([store.put(bytesOf('k0'), bytesOf('during')), store.delete(bytesOf('k1'))]);
    await merging;
    expect(textOf((await store.get(bytesOf('k0'))) as Uint8Array)).toBe('during');
    expect(await store.get(bytesOf('k1'))).toBeUndefined();
    const contents = await contentsOf(store);
    const again = await reopen(disk, store);
    expect(await contentsOf(again)).toEqual(contents);
    assert.deepEqual((await again.verify()).problems, []);
    await again.close();
  }
});

test('an iterator sees the store as it was, through writes, deletes and merges, in both directions', async () => {
  for (const reverse of [false, true]) {
    const disk = createFaultDisk({ seed: 7 });
    const store = await openOn(disk);
    for (let i = 10; i < 60; i++) await store.put(bytesOf(`k${i}`), bytesOf(`${i}`.repeat(60)));
    const expected = [...(await contentsOf(store))];
    if (reverse) expected.reverse();
    const given: [string, string][] = [];
    for await (const { key, value } of store.range({ reverse })) {
      given.push([textOf(key), textOf(value)]);
      if (given.length !== 5) continue;
      for (let i = 10; i < 60; i += 2) await store.delete(bytesOf(`k${i}`));
      for (let i = 11; i < 60; i += 4) await store.put(bytesOf(`k${i}`), bytesOf('new'));
      await store.put(bytesOf('k335'), bytesOf('inserted'));
      await store.merge({ force: true });
      expect(store.stats().merge.pinnedBy.join()).toContain('open snapshots');
    }
    expect(given).toEqual(expected);
    expect(store.stats().merge.pinnedBy.join()).not.toContain('open snapshots');
    expect(store.size).toBe(26);
    const again = await reopen(disk, store);
    expect(disk.files().filter((path) => path.endsWith('.data')).length).toBe(again.stats().segments);
    await again.close();
  }
});

test('an iterator that would need too much memory fails, the store goes on', async () => {
  const store = await openOn(createFaultDisk({ seed: 8 }), { snapshotMemoryBytes: 1_000 });
  for (let i = 100; i < 200; i++) await store.put(bytesOf(`k${i}`), bytesOf('1'));
  const iterator = store.range()[Symbol.asyncIterator]();
  await iterator.next();
  for (let i = 100; i < 200; i++) await store.put(bytesOf(`k${i}`), bytesOf('2'));
  const rest = (async () => {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next());
  })();
  await expect(rest).rejects.toMatchObject({ code: 'SNAPSHOT_TOO_OLD' });
  expect(store.stats().merge.pinnedBy.join()).not.toContain('open snapshots');
  let count = 0;
  for await (const { value } of store.range()) count += textOf(value) === '2' ? 1 : 0;
  expect(count).toBe(100);
  await store.close();
});

test('a range stops at its signal and gives its snapshot back', async () => {
  const store = await openOn(createFaultDisk({ seed: 9 }));
  for (let i = 0; i < 50; i++) await store.put(bytesOf(`k${i}`), bytesOf('1'));
  const controller = new AbortController();
  const reading = (async () => {
    for await (const _ of store.range({ signal: controller.signal })) controller.abort(new Error('enough'));
  })();
  await expect(reading).rejects.toThrow('enough');
  await store.close();
});

test('a merge stops at its signal and leaves everything as it was', async () => {
  const disk = createFaultDisk({ seed: 10 });
  const clock = createManualClock();
  const store = await openOn(disk, { clock, merge: { enabled: false, bytesPerSecond: 1_000 } });
  for (let i = 0; i < 12; i++) await store.put(bytesOf(`k${i % 5}`), large(`${i % 10}`));
  const before = await contentsOf(store);
  const controller = new AbortController();
  const merging = store.merge({ force: true, signal: controller.signal });
  merging.catch(() => undefined);
  await clock.advance(100);
  expect(store.stats().merge.state).toBe('running');
  store.pauseMerge();
  expect(store.stats().merge.state).toBe('paused');
  store.resumeMerge();
  controller.abort(new Error('not now'));
  await expect(merging).rejects.toThrow('not now');
  expect(await contentsOf(store)).toEqual(before);
  await store.close();
  expect(disk.files().filter((path) => path.endsWith('.tmp'))).toEqual([]);
});

test('closing breaks a merge off', async () => {
  const disk = createFaultDisk({ seed: 11 });
  const store = await openOn(disk, { clock: createManualClock(), merge: { bytesPerSecond: 1 } });
  for (let i = 0; i < 12; i++) await store.put(bytesOf(`k${i % 5}`), large(`${i % 10}`));
  const before = await contentsOf(store);
  const merging = store.merge({ force: true });
  merging.catch(() => undefined);
  const again = await reopen(disk, store);
  await expect(merging).rejects.toMatchObject({ code: 'CLOSED' });
  expect(await contentsOf(again)).toEqual(before);
  await again.close();
});

test('a damaged record fails its read and the merge, and no other read', async () => {
  const disk = createFaultDisk({ seed: 12 });
  const store = await openOn(disk);
  for (let i = 0; i < 5; i++) await store.put(bytesOf(`k${i}`), bytesOf(`${i}`.repeat(30)));
  disk.corrupt('/store/0000000001.data', 150, 0x10);
  const failed: string[] = [];
  for (let i = 0; i < 5; i++) {
    const read = store.get(bytesOf(`k${i}`));
    await read.catch((error: BitcaskError) => {
      expect(error).toMatchObject({ code: 'CORRUPT', details: { file: '/store/0000000001.data' } });
      failed.push(`k${i}`);
    });
  }
  expect(failed).toHaveLength(1);
  await expect(store.merge({ force: true })).rejects.toMatchObject({ code: 'CORRUPT' });
  expect((await store.verify()).problems).toHaveLength(1);
  await store.close();
});

test('a store whose keys expire and are never overwritten shrinks by itself', async () => {
  const disk = createFaultDisk({ seed: 13 });
  const clock = createManualClock();
  let nowMs = 1_000;
  const merge = { enabled: true, checkIntervalMs: 1_000 };
  const store = await openOn(disk, { clock, horizon: () => nowMs, merge });
  for (let i = 0; i < 60; i++) {
    const options = i % 5 === 0 ? {} : { expiresAtMs: 10_000 };
    await store.put(bytesOf(`k${i}`), bytesOf('v'.repeat(300)), options);
  }
  await clock.advance(30_000);
  expect(store.stats().merge.runs).toBe(0);
  nowMs = 10_000;
  await clock.advance(30_000);
  expect(store.stats().merge.runs).toBeGreaterThan(0);
  expect(store.size).toBeLessThan(30);
  expect([...(await contentsOfLive(store))]).toEqual(Array.from({ length: 12 }, (_, i) => `k${i * 5}`).sort());
  await store.close();
});

async function contentsOfLive(store: Bitcask): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.range()) keys.push(textOf(key));
  return keys;
}

test('a merge that a close breaks off, and one asked for while it closes, reject with CLOSED', async () => {
  const disk = createFaultDisk({ seed: 9 });
  const store = await openOn(disk);
  for (const key of ['a', 'b', 'c']) await store.put(bytesOf(key), large(key));
  store.pauseMerge();
  const codes = [store.merge({ force: true }), store.merge({ force: true })].map((merging) =>
    merging.then(
      () => 'merged',
      (error: BitcaskError) => error.code,
    ),
  );
  await store.close();
  expect(await Promise.all(codes)).toEqual(['CLOSED', 'CLOSED']);
});
