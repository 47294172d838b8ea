import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk, createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { bytesOf, openOn } from './history.js';

const large = (mark: number) => bytesOf(`${mark}`.repeat(800));

test('interval: written data is synced once the interval has passed, once for all of it', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const clock = createManualClock();
  const synced: number[] = [];
  const store = await openOn(disk, {
    clock,
    durability: 'interval',
    syncIntervalMs: 500,
    listener: { synced: ({ bytes }) => synced.push(bytes) },
  });
  for (let i = 0; i < 3; i++) await store.put(bytesOf(`k${i}`), bytesOf('1'));
  await clock.advance(499);
  expect([synced.length, store.stats().durableSequence]).toEqual([0, 0]);
  await clock.advance(2);
  expect([synced.length, store.stats().durableSequence]).toEqual([1, 3]);
  await clock.advance(5_000);
  expect(synced).toHaveLength(1);
  await store.close();
});

test('never: a checkpoint comes by time and by operations, and a batch may ask for its own sync', async () => {
  const clock = createManualClock();
  const told: number[] = [];
  const store = await openOn(createFaultDisk({ seed: 2 }), {
    clock,
    durability: 'never',
    checkpointIntervalMs: 10_000,
    checkpointOperations: 5,
    listener: { checkpoint: ({ durableSequence }) => told.push(durableSequence) },
  });
  await store.put(bytesOf('a'), bytesOf('1'));
  await clock.advance(9_000);
  expect(told).toEqual([]);
  await clock.advance(1_500);
  expect(told).toEqual([1]);
  for (let i = 0; i < 5; i++) await store.put(bytesOf('b'), bytesOf('1'));
  await clock.advance(1);
  expect(told.at(-1)).toBe(6);
  await store.batch([{ type: 'put', key: bytesOf('c'), value: bytesOf('1') }], { sync: true });
  expect(store.stats().durableSequence).toBe(7);
  expect(store.stats().lastCheckpointMs).toBeGreaterThan(0);
  await store.close();
});

test('concurrent writes share one sync', async () => {
  const disk = createFaultDisk({ seed: 3 });
  let syncs = 0;
  const store = await openOn(disk, { segmentBytes: 1_048_576, listener: { synced: () => syncs++ } });
  await Promise.all(Array.from({ length: 128 }, (_, i) => store.put(bytesOf(`k${i}`), bytesOf('1'))));
  expect(syncs).toBe(1);
  await store.close();
});

test('no more files are open than allowed, whichever records are read', async () => {
  const store = await openOn(createFaultDisk({ seed: 4 }), { maxOpenFiles: 4 });
  for (let i = 0; i < 60; i++) await store.put(bytesOf(`k${i}`), large(i % 10));
  expect(store.stats().segments).toBeGreaterThan(8);
  for (let i = 0; i < 60; i++) {
    expect(store.getSync(bytesOf(`k${(i * 7) % 60}`))?.length).toBe(800);
    // The segment being written is read through the writer's own handle.
    expect(store.stats().openFiles).toBeLessThanOrEqual(5);
  }
  await Promise.all(Array.from({ length: 60 }, (_, i) => store.get(bytesOf(`k${i}`))));
  expect(store.stats().openFiles).toBeLessThanOrEqual(5);
  await store.close();
});

test('the cache answers what was read, within its size and time, and never what was overwritten', async () => {
  const clock = createManualClock();
  const store = await openOn(createFaultDisk({ seed: 5 }), { clock, cache: { maxBytes: 3_000, ttlMs: 1_000 } });
  for (let i = 0; i < 5; i++) await store.put(bytesOf(`k${i}`), large(i));
  await store.get(bytesOf('k0'));
  const first = await store.get(bytesOf('k0'));
  expect(store.stats().cache).toMatchObject({ hits: 1, misses: 1, entries: 1 });
  first?.fill(0);
  expect((await store.get(bytesOf('k0')))?.[0]).toBe(48);
  await store.put(bytesOf('k0'), bytesOf('new'));
  expect(store.stats().cache.entries).toBe(0);
  expect((await store.get(bytesOf('k0')))?.length).toBe(3);
  for (let i = 0; i < 5; i++) await store.get(bytesOf(`k${i}`));
  expect(store.stats().cache.bytes).toBeLessThanOrEqual(3_000);
  await clock.advance(2_000);
  const { misses } = store.stats().cache;
  await store.get(bytesOf('k4'));
  expect(store.stats().cache.misses).toBe(misses + 1);
  await store.close();
});

test('values are compressed where it helps, also large ones on other threads, and the order of calls stays', async () => {
  for (const codec of ['lz4', 'gzip'] as const) {
    const disk = createFaultDisk({ seed: 6 });
    const store = await openOn(disk, { segmentBytes: 1_048_576, compression: { codec, minBytes: 256 } });
    const repetitive = new Uint8Array(200_000).fill(65);
    const calls = [
      store.put(bytesOf('k'), repetitive),
      store.put(bytesOf('k'), bytesOf('small')),
      store.put(bytesOf('other'), repetitive),
      store.put(bytesOf('medium'), new Uint8Array(1_000).fill(66)),
    ];
    const sequences = (await Promise.all(calls)).map((result) => result.sequence);
    expect(sequences).toEqual([1, 2, 3, 4]);
    expect((await store.get(bytesOf('k')))?.length).toBe(5);
    expect(Buffer.from((await store.get(bytesOf('other'))) as Uint8Array).equals(repetitive)).toBe(true);
    expect(store.getSync(bytesOf('medium'))?.length).toBe(1_000);
    const noise = createSeededRandom(1).bytes(1_000);
    await store.put(bytesOf('noise'), noise);
    expect(Buffer.from((await store.get(bytesOf('noise'))) as Uint8Array).equals(noise)).toBe(true);
    const { rawBytes, storedBytes, skipped } = store.stats().compression;
    expect([rawBytes, skipped]).toEqual([402_000, 1]);
    expect(storedBytes).toBeLessThan(10_000);
    const { problems, byCodec } = await store.verify();
    expect(problems).toEqual([]);
    expect(byCodec[codec]).toMatchObject({ values: 3, rawBytes: 401_000 });
    expect(byCodec.none).toEqual({ values: 2, rawBytes: 1_005, storedBytes: 1_005 });
    await store.close();
  }
});
