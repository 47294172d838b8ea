import { createFaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { bitcaskStats, rebuildHints, verifyBitcask } from '../src/offline.js';
import { bytesOf, contentsOf, directory, openOn } from './history.js';

async function filledDisk() {
  const disk = createFaultDisk({ seed: 1 });
  const store = await openOn(disk);
  for (let i = 0; i < 30; i++) await store.put(bytesOf(`k${i % 9}`), bytesOf(`${i}`.repeat(150)));
  await store.delete(bytesOf('k0'));
  const contents = await contentsOf(store);
  await store.close();
  return { disk, contents };
}

test('verifyBitcask finds nothing wrong with a sound store, and what is wrong with a damaged one', async () => {
  const { disk } = await filledDisk();
  const progress: number[] = [];
  const sound = await verifyBitcask(disk, directory, { onProgress: (done, total) => progress.push(done / total) });
  expect(sound).toMatchObject({ records: 31, problems: [] });
  expect(progress.at(-1)).toBe(1);
  const path = `${directory}/0000000002.data`;
  disk.corrupt(path, 200, 1);
  const damaged = await verifyBitcask(disk, directory);
  expect(damaged.problems).toHaveLength(1);
  expect(damaged.problems[0]).toMatchObject({ file: path, offset: expect.any(Number) });
  await disk.remove(`${directory}/0000000001.data`);
  expect((await verifyBitcask(disk, directory)).problems).toHaveLength(2);
  disk.corrupt(`${directory}/MANIFEST`, 20, 1);
  expect((await verifyBitcask(disk, directory)).problems[0]).toMatchObject({ file: `${directory}/MANIFEST` });
  await expect(verifyBitcask(disk, '/elsewhere')).rejects.toMatchObject({ code: 'IO_ERROR' });
});

test('rebuildHints writes hints that the next open reads', async () => {
  const { disk, contents } = await filledDisk();
  const hints = disk.files().filter((path) => path.endsWith('.hint'));
  const before = hints.map((path) => disk.contents(path));
  for (const path of hints) await disk.remove(path);
  const { rebuilt, problems } = await rebuildHints(disk, directory);
  expect([rebuilt, problems]).toEqual([hints.length, []]);
  expect(hints.map((path) => disk.contents(path))).toEqual(before);
  const sources: string[] = [];
  const store = await openOn(disk, { listener: { recovered: (event) => sources.push(event.from) } });
  expect(new Set(sources)).toEqual(new Set(['hint']));
  expect(await contentsOf(store)).toEqual(contents);
  await expect(rebuildHints(disk, directory)).rejects.toMatchObject({ code: 'LOCKED' });
  await store.close();
});

test('bitcaskStats tells keys and bytes without changing anything', async () => {
  const { disk, contents } = await filledDisk();
  const steps = disk.steps;
  const stats = await bitcaskStats(disk, directory);
  expect(stats.keys).toBe(contents.size);
  expect(stats.staleRatio).toBeGreaterThan(0.5);
  expect(disk.steps).toBe(steps);
});

test('a segment that a merge takes away while it is verified is no problem', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const store = await openOn(disk);
  for (let i = 0; i < 30; i++) await store.put(bytesOf(`k${i % 9}`), bytesOf(`${i}`.repeat(150)));
  await store.verify();
  let release: () => void = () => undefined;
  const stall = new Promise<void>((resolve) => {
    release = resolve;
  });
  let met: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => {
    met = resolve;
  });
  const open = disk.open.bind(disk);
  disk.open = async (path, mode) => {
    if (!path.endsWith('.hint')) return open(path, mode);
    disk.open = open;
    met();
    await stall;
    return open(path, mode);
  };
  const verifying = store.verify();
  await reached;
  expect((await store.merge({ force: true })).segmentsMerged).toBeGreaterThan(1);
  release();
  expect((await verifying).problems).toEqual([]);
  await store.close();
});

test('what the disk refuses to read is a finding, and what is behind it is verified all the same', async () => {
  const { disk } = await filledDisk();
  const failure = { kind: 'error', code: 'EIO' } as const;
  const store = await openOn(disk, { readOnly: true });
  disk.inject({ operation: 'read', path: /0000000001\.data$/, effect: failure });
  disk.inject({ operation: 'open', path: /0000000002\.hint$/, effect: failure });
  const { problems, segments } = await store.verify();
  expect(segments).toBeGreaterThan(2);
  expect(problems.map(({ file }) => file)).toEqual([`${directory}/0000000001.data`, `${directory}/0000000002.hint`]);
  await store.close();
});
