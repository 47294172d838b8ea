import assert from 'node:assert/strict';
import { enumerateCrashes, type FaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import type { BitcaskOptions } from '../src/bitcask-options.js';
import { assertPrefix, bytesOf, contentsOf, type History, openOn, Recorder, startHistory } from './history.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const large = 'v'.repeat(700);

/** Opens what a crash left, judges it, writes on, opens again. */
async function verifyDisk(disk: FaultDisk, history: History, options: Partial<BitcaskOptions>): Promise<void> {
  const store = await openOn(disk, options);
  await assertPrefix(store, history);
  assert.deepEqual((await store.verify()).problems, []);
  const before = await contentsOf(store);
  const { sequence } = await store.put(bytesOf('afterwards'), bytesOf('1'));
  assert.equal(sequence, store.stats().lastSequence);
  await store.close();
  const again = await openOn(disk, options);
  assert.deepEqual(await contentsOf(again), new Map([...before, ['afterwards', '1']].sort() as [string, string][]));
  await again.close();
}

function scenario(
  options: Partial<BitcaskOptions>,
  run: (recorder: Recorder, disk: FaultDisk) => Promise<void>,
  prepare?: (recorder: Recorder) => Promise<void>,
) {
  let prepared = startHistory();
  return {
    prepare: async (disk: FaultDisk) => {
      prepared = startHistory();
      if (prepare === undefined) return;
      const recorder = new Recorder(await openOn(disk, options), prepared);
      await prepare(recorder);
      await recorder.close();
    },
    start: (): History => ({ groups: [...prepared.groups], durableGroups: prepared.groups.length }),
    run: async (disk: FaultDisk, history: History) => run(new Recorder(await openOn(disk, options), history), disk),
    recover: async (disk: FaultDisk) => (await openOn(disk, options)).close(),
    verify: (disk: FaultDisk, history: History) => verifyDisk(disk, history, options),
  };
}

const writes = async (recorder: Recorder) => {
  await recorder.put('a', '1');
  await recorder.batch([
    ['a', '2'],
    ['b', large],
    ['c', '3'],
  ]);
  await recorder.delete('a');
  await Promise.all([recorder.put('d', '4'), recorder.put('e', large), recorder.delete('b')]);
};

for (const durability of ['always', 'never'] as const) {
  test(`put, delete and batch: a crash after any step leaves a prefix (${durability})`, async () => {
    const coverage = await enumerateCrashes({
      ...scenario({ durability }, async (recorder) => {
        await writes(recorder);
        await recorder.close();
      }),
      randomDraws: deep ? 20 : 1,
      crashRecovery: true,
      recoveryStride: deep ? 1 : 3,
    });
    expect(coverage.cases).toBeGreaterThan(200);
  });

  test(`rotation and hints: a crash after any step leaves a prefix (${durability})`, async () => {
    const coverage = await enumerateCrashes({
      ...scenario({ durability }, async (recorder) => {
        for (let i = 0; i < 14; i++) await recorder.put(`k${i % 5}`, `${i}${large}`);
        await recorder.delete('k1');
        await recorder.close();
      }),
      randomDraws: deep ? 20 : 1,
    });
    expect(coverage.cases).toBeGreaterThan(200);
  });

  test(`a merge between writes: a crash after any step leaves old or new, nothing between (${durability})`, async () => {
    const coverage = await enumerateCrashes({
      ...scenario(
        { durability },
        async (recorder) => {
          const merging = recorder.store.merge({ force: true });
          merging.catch(() => undefined);
          await recorder.put('k1', 'during');
          await recorder.delete('k2');
          await merging;
          await recorder.put('k3', 'behind');
          await recorder.store.merge({ force: true });
          await recorder.close();
        },
        async (recorder) => {
          for (let i = 0; i < 9; i++) await recorder.put(`k${i % 4}`, `${i}${large}`);
          await recorder.delete('k0');
        },
      ),
      randomDraws: deep ? 20 : 1,
    });
    expect(coverage.cases).toBeGreaterThan(200);
  });

  test(`recovery interrupted anywhere in the middle converges after a merge (${durability})`, async () => {
    const coverage = await enumerateCrashes({
      ...scenario(
        { durability },
        async (recorder) => {
          await recorder.put('k1', 'new');
          await recorder.store.merge({ force: true });
          await recorder.put('k2', 'new');
        },
        async (recorder) => {
          for (let i = 0; i < 7; i++) await recorder.put(`k${i % 3}`, `${i}${large}`);
        },
      ),
      randomDraws: deep ? 5 : 0,
      crashRecovery: true,
      recoveryStride: deep ? 1 : 3,
    });
    expect(coverage.cases).toBeGreaterThan(200);
  });
}

test('a merge drops nothing in favour of a write that a crash then takes away (never)', async () => {
  // Only sealed segments are merged; what supersedes their records lies un-synced in the active one.
  const options = { durability: 'never', merge: { enabled: false, minSegments: 1, staleRatio: 0.01 } } as const;
  const coverage = await enumerateCrashes({
    ...scenario(
      options,
      async (recorder) => {
        await recorder.put('k0', 'fresh');
        await recorder.delete('k1');
        await recorder.store.merge();
        await recorder.put('k2', 'behind');
      },
      async (recorder) => {
        for (let i = 0; i < 9; i++) await recorder.put(`k${i % 4}`, `${i}${large}`);
      },
    ),
    randomDraws: deep ? 20 : 1,
  });
  expect(coverage.cases).toBeGreaterThan(100);
});

test('a checkpoint: what it told to be durable survives every crash (never)', async () => {
  await enumerateCrashes({
    ...scenario({ durability: 'never' }, async (recorder) => {
      await writes(recorder);
      await recorder.checkpoint();
      await recorder.put('f', '6');
      await recorder.checkpoint();
      await recorder.delete('f');
      await recorder.put('g', large);
    }),
    randomDraws: deep ? 20 : 2,
  });
});

test('a batch larger than a segment is all or nothing', async () => {
  await enumerateCrashes({
    ...scenario({ durability: 'never' }, async (recorder) => {
      await recorder.put('a', large);
      await recorder.batch(Array.from({ length: 12 }, (_, i) => [`k${i}`, `${i}${large}`] as const));
      await recorder.put('b', large);
    }),
    randomDraws: deep ? 40 : 3,
  });
});
