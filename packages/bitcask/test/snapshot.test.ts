import assert from 'node:assert/strict';
import { createFaultDisk, enumerateCrashes, type FaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import type { Bitcask } from '../src/bitcask.js';
import type { BitcaskOptions } from '../src/bitcask-options.js';
import { snapshotBitcask, verifyBitcask } from '../src/offline.js';
import { assertPrefix, bytesOf, contentsOf, directory, openOn, Recorder, startHistory, stateAfter } from './history.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const large = 'v'.repeat(700);
const target = '/snapshots/one';

/** Nine segments' worth of keys, some of it dead. */
async function fill(recorder: Recorder): Promise<void> {
  for (let i = 0; i < 12; i++) await recorder.put(`k${i % 5}`, `${i}${large}`);
  await recorder.delete('k1');
}

async function filledStore(options: Partial<BitcaskOptions> = {}) {
  const disk = createFaultDisk({ seed: 1 });
  const recorder = new Recorder(await openOn(disk, options), startHistory());
  await fill(recorder);
  return { disk, recorder, store: recorder.store, history: recorder.history };
}

function openSnapshot(disk: FaultDisk, options: Partial<BitcaskOptions> = {}): Promise<Bitcask> {
  return openOn(disk, { directory: target, readOnly: true, ...options });
}

function snapshotFiles(disk: FaultDisk): string[] {
  return disk.files().filter((path) => path.startsWith('/snapshots/'));
}

async function snapshotContents(disk: FaultDisk): Promise<Map<string, string>> {
  const store = await openSnapshot(disk);
  const contents = await contentsOf(store);
  await store.close();
  return contents;
}

test('a snapshot is the store as it was, whatever writes and merges do to the source afterwards', async () => {
  const { disk, store } = await filledStore();
  const before = await contentsOf(store);
  const result = await store.snapshot(target);
  expect(result).toMatchObject({ sequence: 13, copied: 0, linked: result.files });
  expect(snapshotFiles(disk)).toHaveLength(result.files + 1);
  await store.put(bytesOf('k0'), bytesOf('later'));
  await store.merge({ force: true });
  await store.put(bytesOf('k2'), bytesOf('later still'));
  await store.merge({ force: true });
  expect(await snapshotContents(disk)).toEqual(before);
  expect(await verifyBitcask(disk, target)).toMatchObject({ problems: [] });
  await store.close();
  expect(disk.openFiles).toBe(0);
});

test('many open a snapshot read-only at once; nothing is locked and nothing written', async () => {
  const { disk, store } = await filledStore();
  const before = await contentsOf(store);
  await store.snapshot(target);
  await store.close();
  const steps = disk.steps;
  const views = await Promise.all(Array.from({ length: 5 }, () => openSnapshot(disk, { lock: true })));
  for (const view of views) expect(await contentsOf(view)).toEqual(before);
  await expect(views[0]?.put(bytesOf('a'), bytesOf('1'))).rejects.toMatchObject({ code: 'READ_ONLY' });
  await expect(views[0]?.snapshot('/snapshots/two')).rejects.toMatchObject({ code: 'READ_ONLY' });
  for (const view of views) await view.close();
  expect(disk.steps).toBe(steps);
});

test('a snapshot opened for writing goes on by itself and leaves the source as it is', async () => {
  const { disk, store } = await filledStore();
  await store.snapshot(target);
  const before = await contentsOf(store);
  const files = new Map(disk.files().map((path) => [path, disk.contents(path)]));
  const other = await openSnapshot(disk, { readOnly: false });
  const { sequence } = await other.put(bytesOf('own'), bytesOf('1'));
  expect(sequence).toBe(14);
  await other.merge({ force: true });
  await other.close();
  expect(await contentsOf(store)).toEqual(before);
  for (const [path, bytes] of files) if (path.startsWith(directory)) expect(disk.contents(path)).toEqual(bytes);
  await store.close();
});

for (const durability of ['always', 'never'] as const) {
  test(`snapshots taken while writes and merges run equal the history up to their sequence (${durability})`, async () => {
    const { disk, recorder, store, history } = await filledStore({ durability });
    const writes: Promise<void>[] = [];
    const results = [];
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 7; i++) writes.push(recorder.put(`k${(round + i) % 9}`, `${round}.${i}${large}`));
      const merging = store.merge({ force: true });
      const acknowledged = store.stats().lastSequence;
      const snapshot = store.snapshot(`/snapshots/${round}`);
      for (let i = 0; i < 5; i++) writes.push(recorder.put(`l${i}`, `${round}.${i}`));
      results.push({ round, acknowledged, ...(await snapshot) });
      await merging;
    }
    await Promise.all(writes);
    for (const { round, sequence, acknowledged } of results) {
      assert.ok(sequence >= acknowledged, `snapshot ${round} ends at ${sequence}, ${acknowledged} were acknowledged`);
      const view = await openSnapshot(disk, { directory: `/snapshots/${round}` });
      // One operation a group: the n-th group has sequence n.
      expect([...(await contentsOf(view))].sort()).toEqual([...stateAfter(history, sequence)].sort());
      expect((await view.verify()).problems).toEqual([]);
      await view.close();
    }
    await store.close();
  });
}

test('a merge that ends while files are being linked does not take them away', async () => {
  const { disk, store } = await filledStore();
  const before = await contentsOf(store);
  const gate = { open: () => {}, begun: () => {} };
  const release = new Promise<void>((resolve) => {
    gate.open = resolve;
  });
  const begun = new Promise<void>((resolve) => {
    gate.begun = resolve;
  });
  disk.inject({ operation: 'link', after: 2, effect: { kind: 'stall', release } });
  const snapshot = store.snapshot(target, { onProgress: () => gate.begun() });
  await begun;
  await store.put(bytesOf('k0'), bytesOf('later'));
  expect((await store.merge({ force: true })).segmentsMerged).toBeGreaterThan(2);
  gate.open();
  await snapshot;
  expect(await snapshotContents(disk)).toEqual(before);
  expect(await verifyBitcask(disk, target)).toMatchObject({ problems: [] });
  await store.close();
  const left = disk.files().filter((path) => path.startsWith(`${directory}/`) && path.endsWith('.data'));
  expect(left.length).toBeLessThan(4);
});

test('across file systems the bytes are copied, with progress', async () => {
  const { disk, store } = await filledStore();
  const before = await contentsOf(store);
  disk.inject({ operation: 'link', times: Number.POSITIVE_INFINITY, effect: { kind: 'error', code: 'EXDEV' } });
  const progress: number[] = [];
  const result = await store.snapshot(target, { onProgress: (done, total) => progress.push(done / total) });
  expect(result).toMatchObject({ linked: 0, copied: result.files });
  expect(progress.at(-1)).toBe(1);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  await store.merge({ force: true });
  expect(await snapshotContents(disk.restart('none'))).toEqual(before);
});

test('a target that holds something is refused, an empty one is filled, an empty store gives an empty one', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const store = await openOn(disk);
  await disk.makeDirectory(target);
  expect(await store.snapshot(target)).toMatchObject({ files: 0, bytes: 0, sequence: 0 });
  expect(await snapshotContents(disk)).toEqual(new Map());
  for (const taken of [target, directory, `${target}/MANIFEST`]) {
    await expect(store.snapshot(taken)).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' });
  }
  await store.close();
  await expect(store.snapshot('/snapshots/two')).rejects.toMatchObject({ code: 'CLOSED' });
});

const failures = [
  { operation: 'link', after: 3, code: 'ENOSPC', expected: 'DISK_FULL' },
  { operation: 'link', after: 0, code: 'EIO', expected: 'IO_ERROR' },
  { operation: 'makeDirectory', after: 0, code: 'EACCES', expected: 'IO_ERROR' },
  { operation: 'syncDirectory', after: 0, path: /snapshots\/one$/, code: 'EIO', expected: 'IO_ERROR' },
  { operation: 'write', after: 0, path: /MANIFEST/, skipSource: true, code: 'ENOSPC', expected: 'DISK_FULL' },
  { operation: 'rename', after: 0, path: /snapshots/, code: 'EIO', expected: 'IO_ERROR' },
  { operation: 'syncDirectory', after: 1, path: /snapshots\/one$/, code: 'EIO', expected: 'IO_ERROR' },
] as const;

for (const { operation, after, code, expected, ...rest } of failures) {
  test(`${code} of ${operation} ${after + 1}: the snapshot fails with ${expected}, nothing of it stays, the store goes on`, async () => {
    const { disk, store } = await filledStore();
    const path = 'skipSource' in rest ? /snapshots.*MANIFEST/ : 'path' in rest ? rest.path : /./;
    disk.inject({ operation, after, path, effect: { kind: 'error', code } });
    await expect(store.snapshot(target)).rejects.toMatchObject({ code: expected });
    expect(snapshotFiles(disk)).toEqual([]);
    expect(await disk.stat(target)).toBeUndefined();
    await store.put(bytesOf('after'), bytesOf('1'));
    const before = await contentsOf(store);
    await store.snapshot(target);
    expect(await snapshotContents(disk)).toEqual(before);
    await store.close();
    expect(disk.openFiles).toBe(0);
  });
}

test('a segment that was cut off makes no snapshot', async () => {
  const { disk, store } = await filledStore();
  const path = `${directory}/0000000002.data`;
  const bytes = disk.contents(path);
  disk.setContents(path, bytes.subarray(0, -1));
  await expect(store.snapshot(target)).rejects.toMatchObject({ code: 'CORRUPT', details: { file: path } });
  expect(snapshotFiles(disk)).toEqual([]);
  await store.close();
});

test('an aborted snapshot, and one that a close meets, take away what they made', async () => {
  const { disk, store } = await filledStore();
  const reason = new Error('enough');
  const controller = new AbortController();
  const stopped = store.snapshot(target, { signal: controller.signal, onProgress: () => controller.abort(reason) });
  await expect(stopped).rejects.toBe(reason);
  expect(snapshotFiles(disk)).toEqual([]);
  let closing: Promise<void> | undefined;
  const closed = store.snapshot(target, {
    onProgress: () => {
      closing ??= store.close();
    },
  });
  await expect(closed).rejects.toMatchObject({ code: 'CLOSED' });
  await closing;
  expect(snapshotFiles(disk)).toEqual([]);
  expect(disk.openFiles).toBe(0);
});

test('a store that nobody has open is snapshot by a tool; one that is open is locked', async () => {
  const { disk, store } = await filledStore();
  const before = await contentsOf(store);
  await expect(snapshotBitcask(disk, directory, target)).rejects.toMatchObject({ code: 'LOCKED' });
  await store.close();
  expect(await snapshotBitcask(disk, directory, target)).toMatchObject({ sequence: 13, copied: 0 });
  expect(await snapshotContents(disk)).toEqual(before);
  await expect(snapshotBitcask(disk, '/elsewhere', '/snapshots/two')).rejects.toMatchObject({ code: 'IO_ERROR' });
});

interface CrashState {
  readonly history: ReturnType<typeof startHistory>;
  /** Groups acknowledged before the call. */
  before: number;
  done: boolean;
}

for (const [durability, link] of [
  ['always', 'linked'],
  ['never', 'linked'],
  ['always', 'copied'],
] as const) {
  test(`a crash after any step: the source is unharmed, the snapshot whole or no store (${durability}, ${link})`, async () => {
    const options = { durability };
    let prepared = startHistory();
    const coverage = await enumerateCrashes<CrashState>({
      randomDraws: deep ? 20 : link === 'copied' ? 0 : 0,
      async prepare(disk) {
        prepared = startHistory();
        const recorder = new Recorder(await openOn(disk, options), prepared);
        for (let i = 0; i < 6; i++) await recorder.put(`k${i % 4}`, `${i}${large}`);
        await recorder.close();
      },
      start: () => ({
        history: { groups: [...prepared.groups], durableGroups: prepared.groups.length },
        before: 0,
        done: false,
      }),
      async run(disk, state) {
        if (link === 'copied') {
          const effect = { kind: 'error', code: 'EXDEV' } as const;
          disk.inject({ operation: 'link', times: Number.POSITIVE_INFINITY, effect });
        }
        const recorder = new Recorder(await openOn(disk, options), state.history);
        await recorder.put('k0', 'first');
        state.before = state.history.groups.length;
        const merging = recorder.store.merge({ force: true });
        merging.catch(() => undefined);
        const snapshot = recorder.store.snapshot(target);
        snapshot.catch(() => undefined);
        await recorder.put('k1', `during${large}`);
        await recorder.delete('k2');
        await snapshot;
        state.done = true;
        await merging;
        await recorder.put('k3', 'behind');
        await recorder.store.merge({ force: true });
        await recorder.close();
      },
      async verify(disk, state) {
        const source = await openOn(disk, options);
        await assertPrefix(source, state.history);
        assert.deepEqual((await source.verify()).problems, []);
        await source.put(bytesOf('afterwards'), bytesOf('1'));
        await source.merge({ force: true });
        await source.close();
        const whole = disk.files().includes(`${target}/MANIFEST`);
        assert.ok(whole || !state.done, 'a snapshot that was reported is gone');
        if (!whole) {
          await assert.rejects(openSnapshot(disk), 'what is no snapshot was opened');
          return;
        }
        const view = await openSnapshot(disk);
        await assertPrefix(view, { groups: state.history.groups, durableGroups: state.before });
        assert.deepEqual((await view.verify()).problems, []);
        await view.close();
      },
    });
    expect(coverage.cases).toBeGreaterThan(200);
  });
}
