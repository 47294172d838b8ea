import assert from 'node:assert/strict';
import { expect, test } from 'vitest';
import { type CrashPoint, enumerateCrashes } from './enumerate-crashes.js';
import type { FaultDisk } from './fault-disk.js';

/** A counter that says a number is durable after one synced write; `cheats` says so before. */
async function count(
  disk: FaultDisk,
  to: number,
  cheats: boolean,
  acknowledge: (value: number) => void,
): Promise<void> {
  const file = await disk.open('/counter', 'write');
  for (let value = 1; value <= to; value++) {
    await file.write(Uint8Array.of(value), 0);
    if (cheats) acknowledge(value);
    await file.sync();
    acknowledge(value);
  }
}

const scenario = (cheats: boolean, points: CrashPoint[] = []) => ({
  seed: 9,
  prepare: async (disk: FaultDisk) => disk.setContents('/counter', Uint8Array.of(0)),
  start: () => ({ acknowledged: 0 }),
  run: (disk: FaultDisk, state: { acknowledged: number }) =>
    count(disk, 4, cheats, (value) => {
      state.acknowledged = value;
    }),
  verify: async (disk: FaultDisk, state: { acknowledged: number }, point: CrashPoint) => {
    points.push(point);
    const found = disk.contents('/counter')[0] as number;
    assert.ok(found >= state.acknowledged, `found ${found}, acknowledged ${state.acknowledged}`);
    assert.ok(found <= state.acknowledged + 1, `found ${found}, begun ${state.acknowledged + 1}`);
  },
});

test('every step is met by every survival', async () => {
  const points: CrashPoint[] = [];
  const coverage = await enumerateCrashes(scenario(false, points));
  expect(coverage).toEqual({ steps: 8, cases: 9 * 5 });
  expect(points.length).toBe(coverage.cases);
  expect(new Set(points.map(({ step }) => step)).size).toBe(8);
  expect(new Set(points.map(({ survival, draw }) => `${survival} ${draw}`)).size).toBe(5);
});

test('an acknowledgement before the sync is found, with seed and step', async () => {
  await expect(enumerateCrashes(scenario(true))).rejects.toThrow(
    /after a crash \(seed=9 step=2 survival=none draw=0\): found 0, acknowledged 1\nlast steps before it:\n {2}1 write/,
  );
});

test('recovery is interrupted at each of its steps', async () => {
  const recoveries: CrashPoint[] = [];
  const { prepare, start, run, verify } = scenario(false);
  const coverage = await enumerateCrashes({
    ...{ seed: 9, prepare, start, run, crashRecovery: true, randomDraws: 1 },
    recover: (disk) => count(disk, 2, false, () => undefined),
    verify: async (disk, state, point) => {
      if (point.recoveryStep === undefined) await verify(disk, state, point);
      else recoveries.push(point);
    },
  });
  expect(coverage.cases).toBe(9 * 3 * (1 + 4));
  expect(new Set(recoveries.map(({ recoveryStep }) => recoveryStep))).toEqual(new Set([1, 2, 3, 4]));
});

test('of the steps of a recovery some may be left out, others after each step', async () => {
  const recoveries: CrashPoint[] = [];
  const { prepare, start, run } = scenario(false);
  const coverage = await enumerateCrashes({
    ...{ seed: 9, prepare, start, run, crashRecovery: true, recoveryStride: 3, randomDraws: 0 },
    recover: (disk) => count(disk, 2, false, () => undefined),
    verify: async (_disk, _state, point) => {
      if (point.recoveryStep !== undefined) recoveries.push(point);
    },
  });
  expect(coverage.cases).toBeLessThan((9 * 2 * (1 + 4)) / 1.5);
  expect(new Set(recoveries.map(({ recoveryStep }) => recoveryStep))).toEqual(new Set([1, 2, 3, 4]));
});

test('a workload that differs from run to run is refused', async () => {
  let runs = 0;
  const moody = enumerateCrashes({
    start: () => undefined,
    run: async (disk) => {
      if (runs++ === 0) await disk.makeDirectory('/a');
    },
    verify: async () => undefined,
  });
  await expect(moody).rejects.toThrow(/not the same in every run: it never came to step 1/);
});

test('a workload that fails without a crash is reported as it failed', async () => {
  const broken = enumerateCrashes({
    start: () => undefined,
    run: async (disk) => {
      await disk.open('/none', 'read');
    },
    verify: async () => undefined,
  });
  await expect(broken).rejects.toMatchObject({ code: 'ENOENT' });
});
