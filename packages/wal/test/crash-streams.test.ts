import { enumerateCrashes, type FaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import type { WalDurability, WalOptions } from '../src/index.js';
import { openOn } from './support/open-on.js';
import { StreamHistory } from './support/stream-history.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const seeds = deep ? Array.from({ length: 12 }, (_, i) => i + 1) : [1];
const randomDraws = deep ? 6 : 2;

/** Opens, checks, appends, rewrites, closes, opens and checks again. */
async function verify(disk: FaultDisk, history: StreamHistory, options: Partial<WalOptions>): Promise<void> {
  const wal = await openOn(disk, options);
  const after = history.cutTo(await history.check(wal));
  await after.append(wal, 1, 33);
  await Promise.all([after.rewrite(wal, 2, [500]), after.append(wal, 2, 5000)]);
  await after.close(wal);
  const again = await openOn(disk, options);
  await after.check(again);
  if (again.info().tornTail !== undefined) throw new Error('a torn tail after an orderly close');
  await again.close();
}

/** Streams that stay behind are replaced, together with appends, over segments that are recycled, and emptied. */
async function rewriting(disk: FaultDisk, history: StreamHistory, options: Partial<WalOptions>): Promise<void> {
  const wal = await openOn(disk, options);
  await history.appendBatch(wal, 1, [100, 200]);
  await Promise.all([history.append(wal, 2, 700), history.append(wal, 3, 10)]);
  for (let i = 0; i < 3; i++) await history.append(wal, 2, 3000);
  history.release(wal, 2, history.records.length);
  await Promise.all([
    history.append(wal, 1, 40),
    history.rewrite(wal, 1, [300, 0, 40]),
    history.append(wal, 1, 50),
    history.append(wal, 2, 2000),
  ]);
  await history.rewrite(wal, 3, []);
  for (let i = 0; i < 3; i++) await history.append(wal, 2, 6000);
  history.release(wal, 2, history.records.length - 1);
  await history.append(wal, 3, 12_000);
  await history.close(wal);
  const again = await openOn(disk, options);
  await Promise.all([history.rewrite(again, 1, [20_000]), history.rewrite(again, 1, [10, 9000])]);
  await history.append(again, 2, 9000);
  await history.flush(again);
  await history.close(again);
}

const variants: { name: string; options: Partial<WalOptions> }[] = [
  ...(['always', 'interval', 'never'] as WalDurability[]).map((durability) => ({
    name: `mode ${durability}`,
    options: { durability },
  })),
  { name: 'compressed', options: { compression: 'lz4' } },
  {
    name: 'compressed, segments that grow, not synced',
    options: { compression: 'lz4', segmentsAhead: 0, durability: 'never' },
  },
  { name: 'the blocking writer', options: { writer: 'blocking' } },
];

for (const { name, options } of variants) {
  test(`a crash at any step leaves a stream as it was, or rewritten whole: ${name}`, async () => {
    let cases = 0;
    for (const seed of seeds) {
      const coverage = await enumerateCrashes<StreamHistory>({
        seed,
        randomDraws,
        start: () => new StreamHistory(),
        run: (disk, history) => rewriting(disk, history, options),
        verify: (disk, history) => verify(disk, history, options),
      });
      cases += coverage.cases;
    }
    expect(cases).toBeGreaterThan(150);
  });
}

test('a crash at any step of the recovery from a crash around a rewrite changes nothing', async () => {
  for (const durability of ['always', 'never'] as const) {
    const options = { durability, compression: 'lz4' } as const;
    const { cases } = await enumerateCrashes<StreamHistory>({
      seed: 5,
      randomDraws: 1,
      crashRecovery: true,
      recoveryStride: deep ? 1 : 3,
      start: () => new StreamHistory(),
      run: async (disk, history) => {
        const wal = await openOn(disk, options);
        await history.append(wal, 1, 3000);
        await history.append(wal, 2, 9000);
        await Promise.all([history.rewrite(wal, 1, [100, 12_000]), history.append(wal, 1, 20)]);
        await history.close(wal);
      },
      recover: async (disk) => {
        const wal = await openOn(disk, options);
        await wal.close();
      },
      verify: (disk, history) => verify(disk, history, options),
    });
    expect(cases).toBeGreaterThan(100);
  }
});

test('a crash while a plain log lets its oldest segments go leaves no gap', async () => {
  for (const compression of ['none', 'lz4'] as const) {
    const options = { retention: 'limits', retainBytes: 20_000, compression } as const;
    const { cases } = await enumerateCrashes<StreamHistory>({
      seed: 3,
      randomDraws,
      start: () => new StreamHistory(),
      run: async (disk, history) => {
        const wal = await openOn(disk, options);
        for (let i = 0; i < 6; i++) {
          history.droppable = Math.max(0, history.records.length);
          await history.append(wal, 0, 5000 + 3000 * (i % 2));
        }
        history.droppable = history.records.length;
        await wal.trim(history.records.length);
        await history.append(wal, 0, 9000);
        await history.close(wal);
      },
      verify: (disk, history) => verify(disk, Object.assign(history, { droppable: Number.MAX_SAFE_INTEGER }), options),
    });
    expect(cases).toBeGreaterThan(100);
  }
});

test('stale compressed frames of a recycled segment never come back', async () => {
  const { cases } = await enumerateCrashes<StreamHistory>({
    seed: 8,
    randomDraws,
    start: () => new StreamHistory(),
    run: async (disk, history) => {
      const wal = await openOn(disk, { compression: 'lz4' });
      for (let i = 0; i < 8; i++) {
        // Compressed to a few bytes each, then long ones that do not fit beside them.
        await history.appendBatch(wal, 0, [9000, 9000]);
        await history.append(wal, 0, 7000);
        history.release(wal, 0, history.records.length - 1);
      }
      await history.close(wal);
    },
    verify: (disk, history) => verify(disk, history, { compression: 'lz4' }),
  });
  expect(cases).toBeGreaterThan(150);
});
