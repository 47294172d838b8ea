import assert from 'node:assert/strict';
import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk, enumerateCrashes, type FaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import type { BitcaskOptions } from '../src/bitcask-options.js';
import { verifyBitcask } from '../src/offline.js';
import {
  assertPrefix,
  bytesOf,
  contentsOf,
  directory,
  type History,
  openOn,
  Recorder,
  startHistory,
} from './history.js';

/** Opening from the snapshot of the key directory: never other contents than without it, whatever happened to it. */

const deep = process.env['SHANGHAI_DEEP'] === '1';
const large = 'v'.repeat(700);
const path = `${directory}/KEYDIR`;
const atClose = { keydirSnapshot: { minKeys: 0, everyOperations: 0 } } as const;
const often = { keydirSnapshot: { minKeys: 0, everyOperations: 3 } } as const;
const without = { keydirSnapshot: { enabled: false } } as const;

function copyOf(disk: FaultDisk): FaultDisk {
  const copy = createFaultDisk({ seed: 1 });
  for (const name of disk.files()) copy.setContents(name, disk.contents(name));
  return copy;
}

/** Opens a copy of the disk; says what is in it and what was counted, and from where it came. */
async function stateOf(disk: FaultDisk, options: Partial<BitcaskOptions>) {
  const unused: string[] = [];
  const listener = { keydirSnapshotUnused: ({ reason }: { reason: string }) => unused.push(reason) };
  const store = await openOn(copyOf(disk), { ...options, listener, readOnly: true });
  const { opened, keydirBytes: _, ...counts } = store.stats();
  const state = { contents: await contentsOf(store), counts, fromSnapshot: opened.snapshotSegments, unused };
  await store.close();
  return state;
}

async function fill(disk: FaultDisk, options: Partial<BitcaskOptions>): Promise<void> {
  const store = await openOn(disk, options);
  for (let i = 0; i < 12; i++) await store.put(bytesOf(`k${i % 7}`), bytesOf(`${i}${large}`));
  await store.delete(bytesOf('k3'));
  await store.close();
}

/** What `fill` leaves. */
const filled: ReadonlyMap<string, string> = new Map([7, 8, 9, 11, 5, 6].map((i) => [`k${i % 7}`, `${i}${large}`]));

for (const [name, options] of [
  ['at close', atClose],
  ['in the background', often],
] as const) {
  test(`written ${name}: a crash after any step leaves a prefix, the same with and without the snapshot`, async () => {
    let loaded = 0;
    const coverage = await enumerateCrashes<History>({
      prepare: (disk) => fill(disk, options),
      start: startHistory,
      run: async (disk, history) => {
        history.groups.push(filled);
        history.durableGroups = 1;
        const recorder = new Recorder(await openOn(disk, options), history);
        await recorder.put('k1', 'new');
        await recorder.batch([
          ['k2', 'x'],
          ['k8', large],
          ['k0', undefined],
        ]);
        await recorder.put('k9', large);
        await recorder.store.merge({ force: true });
        await recorder.delete('k1');
        await recorder.put('k2', 'y');
        await recorder.put('k10', large);
        await recorder.close();
        const again = new Recorder(await openOn(disk, options), history);
        await again.put('k11', 'z');
        await again.close();
      },
      recover: async (disk) => (await openOn(disk, options)).close(),
      verify: async (disk, history) => {
        if (history.groups.length > 0) {
          const first = await stateOf(disk, options);
          const second = await stateOf(disk, without);
          assert.deepEqual(first.contents, second.contents);
          assert.deepEqual(first.counts, second.counts);
          assert.ok(!first.unused.includes('damaged'), 'a crash left a damaged snapshot');
          if (first.fromSnapshot > 0) loaded++;
        }
        const store = await openOn(disk, options);
        if (history.groups.length > 0) await assertPrefix(store, history);
        assert.deepEqual((await store.verify()).problems, []);
        await store.put(bytesOf('afterwards'), bytesOf('1'));
        const before = await contentsOf(store);
        await store.close();
        const again = await openOn(disk, options);
        assert.deepEqual(await contentsOf(again), before);
        await again.close();
      },
      randomDraws: deep ? 10 : 0,
      crashRecovery: deep,
    });
    expect(coverage.cases).toBeGreaterThan(200);
    expect(loaded).toBeGreaterThan(20);
  });
}

test('any changed byte of the snapshot and any cut of it leave the same contents', async () => {
  const disk = createFaultDisk({ seed: 1 });
  await fill(disk, atClose);
  const whole = disk.contents(path);
  const expected = await stateOf(disk, without);
  expect((await stateOf(disk, atClose)).fromSnapshot).toBeGreaterThan(0);
  // That every single byte counts is shown where the file is read; here, what becomes of the store.
  for (let at = 0; at < whole.length; at += at < 300 || at > whole.length - 80 ? 3 : 101) {
    const changed = whole.slice();
    changed[at] = (changed[at] as number) ^ 0x40;
    for (const bytes of [changed, whole.slice(0, at)]) {
      disk.setContents(path, bytes);
      const { contents, counts } = await stateOf(disk, atClose);
      assert.deepEqual(contents, expected.contents, `byte ${at}`);
      assert.deepEqual(counts, expected.counts, `byte ${at}`);
    }
  }
});

test('a snapshot from before a merge, of another store or of a newer format is not used, and replaced at close', async () => {
  const disk = createFaultDisk({ seed: 1 });
  await fill(disk, atClose);
  const old = disk.contents(path);
  const store = await openOn(disk, without);
  await store.put(bytesOf('k1'), bytesOf('after'));
  await store.merge({ force: true });
  await store.close();
  const other = createFaultDisk({ seed: 2 });
  const foreign = await openOn(other, { ...atClose, random: createSeededRandom(77) });
  await foreign.put(bytesOf('k1'), bytesOf('foreign'));
  await foreign.close();
  const newer = old.slice();
  newer[8] = 2;
  for (const bytes of [old, other.contents(path), newer]) {
    const one = copyOf(disk);
    one.setContents(path, bytes);
    const expected = await stateOf(one, without);
    const given = await stateOf(one, atClose);
    expect(given.contents).toEqual(expected.contents);
    expect(given.fromSnapshot).toBe(0);
    expect(given.unused).toHaveLength(1);
    await (await openOn(one, atClose)).close();
    const healed = await stateOf(one, atClose);
    expect(healed.contents).toEqual(expected.contents);
    expect(healed.fromSnapshot).toBeGreaterThan(0);
  }
});

test('what was written after the snapshot is loaded on top of it, deletions too, whether closed or killed', async () => {
  for (const killed of [false, true]) {
    const disk = createFaultDisk({ seed: 1 });
    await fill(disk, atClose);
    const store = await openOn(disk, without);
    await store.delete(bytesOf('k1'));
    await store.put(bytesOf('k2'), bytesOf('newest'));
    await store.put(bytesOf('k3'), bytesOf('back'));
    if (!killed) await store.close();
    disk.crash();
    const left = disk.restart('none');
    const given = await stateOf(left, atClose);
    const expected = await stateOf(left, without);
    expect(given.fromSnapshot).toBeGreaterThan(0);
    expect(given.contents).toEqual(expected.contents);
    expect(given.counts).toEqual(expected.counts);
    expect(given.contents.get('k2')).toBe('newest');
  }
});

test('a disk that is full or fails while the snapshot is written fails neither the close nor the next opening', async () => {
  for (const operation of ['open', 'write', 'sync', 'rename'] as const) {
    for (const code of ['ENOSPC', 'EIO'] as const) {
      const disk = createFaultDisk({ seed: 1 });
      const failed: string[] = [];
      const listener = { keydirSnapshotFailed: ({ error }: { error: Error }) => failed.push(error.message) };
      const store = await openOn(disk, { ...atClose, listener });
      await store.put(bytesOf('a'), bytesOf('1'));
      disk.inject({ operation, path: /KEYDIR/, effect: { kind: 'error', code } });
      await store.close();
      expect([operation, failed.length]).toEqual([operation, 1]);
      expect(disk.files().filter((name) => name.includes('KEYDIR'))).toEqual([]);
      const again = await openOn(disk, atClose);
      expect(await contentsOf(again)).toEqual(new Map([['a', '1']]));
      await again.close();
    }
  }
});

test('in the background it is written beside writes, and a close breaks it off', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const written: number[] = [];
  let told = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    told = resolve;
  });
  const listener = {
    keydirSnapshot: ({ keys }: { keys: number }) => {
      written.push(keys);
      told();
    },
  };
  const store = await openOn(disk, { ...often, listener });
  const writing = Array.from({ length: 40 }, (_, i) => store.put(bytesOf(`k${i % 9}`), bytesOf(`${i}`)));
  await Promise.all(writing);
  await done;
  expect(written[0]).toBeGreaterThan(0);
  await store.put(bytesOf('last'), bytesOf('1'));
  const contents = await contentsOf(store);
  await store.close();
  const given = await stateOf(disk, often);
  expect(given.contents).toEqual(contents);
  expect(given.fromSnapshot).toBeGreaterThan(0);
});

test('a store whose snapshot still serves writes none at close, and a small store none at all', async () => {
  const disk = createFaultDisk({ seed: 1 });
  await fill(disk, atClose);
  const before = disk.contents(path);
  await (await openOn(disk, atClose)).close();
  expect(disk.contents(path)).toEqual(before);
  const again = await openOn(disk, atClose);
  await again.put(bytesOf('k1'), bytesOf('one of six keys'));
  await again.close();
  expect(disk.contents(path)).not.toEqual(before);
  const small = createFaultDisk({ seed: 1 });
  await fill(small, {});
  expect(small.files()).not.toContain(path);
});

test('a hint that is lost or damaged while the snapshot serves does not stop merges for good', async () => {
  for (const damage of ['lost', 'cut', 'flipped'] as const) {
    const disk = createFaultDisk({ seed: 1 });
    await fill(disk, atClose);
    const hint = disk.files().find((name) => name.endsWith('.hint'));
    assert.ok(hint !== undefined);
    const bytes = disk.contents(hint);
    if (damage === 'lost') await disk.remove(hint);
    if (damage === 'cut') disk.setContents(hint, bytes.slice(0, 30));
    if (damage === 'flipped') disk.corrupt(hint, 80, 1);
    const store = await openOn(disk, atClose);
    const contents = await contentsOf(store);
    await store.merge({ force: true }).catch(() => undefined);
    const merged = await store.merge({ force: true });
    expect([damage, merged.segmentsMerged > 0 || store.stats().segments === 1]).toEqual([damage, true]);
    expect(await contentsOf(store)).toEqual(contents);
    await store.close();
  }
});

test('verifying tells of a damaged snapshot and not of an old one', async () => {
  const disk = createFaultDisk({ seed: 1 });
  await fill(disk, atClose);
  expect((await verifyBitcask(disk, directory)).problems).toEqual([]);
  const store = await openOn(disk, without);
  await store.put(bytesOf('k1'), bytesOf('newer'));
  await store.delete(bytesOf('k2'));
  await store.close();
  expect((await verifyBitcask(disk, directory)).problems).toEqual([]);
  disk.corrupt(path, 300, 1);
  expect((await verifyBitcask(disk, directory)).problems.map(({ file }) => file)).toEqual([path]);
  const merging = await openOn(disk, without);
  await merging.merge({ force: true });
  await merging.close();
  disk.corrupt(path, 300, 1);
  expect((await verifyBitcask(disk, directory)).problems).toEqual([]);
});
