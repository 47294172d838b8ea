import { expect, test } from 'vitest';
import { delay } from '../clock.js';
import { InvariantError } from '../invariant.js';
import { createManualClock } from './manual-clock.js';

test('time stands between advances, and wall time follows it', async () => {
  const clock = createManualClock(1_000);
  expect([clock.nowMs(), clock.monotonicMs()]).toEqual([1_000, 0]);
  await clock.advance(2.5);
  expect([clock.nowMs(), clock.monotonicMs()]).toEqual([1_002, 2.5]);
});

test('each timer sees the time it was due at, and what it starts runs before the next', async () => {
  const clock = createManualClock(0);
  const log: string[] = [];
  clock.setTimer(30, () => log.push(`second ${clock.monotonicMs()}`));
  clock.setTimer(10, async () => {
    log.push(`first ${clock.monotonicMs()}`);
    await delay(clock, 10);
    log.push(`after a delay ${clock.monotonicMs()}`);
  });
  await clock.advance(100);
  expect(log).toEqual(['first 10', 'after a delay 20', 'second 30']);
  expect(clock.monotonicMs()).toBe(100);
  expect(clock.pending).toBe(0);
});

test('timers due at the same moment fire in the order they were made', async () => {
  const clock = createManualClock();
  const fired: number[] = [];
  for (let i = 0; i < 5; i++) clock.setTimer(10, () => fired.push(i));
  await clock.advance(10);
  expect(fired).toEqual([0, 1, 2, 3, 4]);
});

test('what waits for microtasks only is done when an advance of 0 returns', async () => {
  const clock = createManualClock();
  let steps = 0;
  const work = async () => {
    for (; steps < 1_000; steps++) await undefined;
  };
  void work();
  await clock.advance(0);
  expect(steps).toBe(1_000);
});

test('a wall clock that is set moves no timer', async () => {
  const clock = createManualClock(1_000);
  let fired = false;
  clock.setTimer(10, () => {
    fired = true;
  });
  clock.setWall(5_000_000);
  expect(clock.nowMs()).toBe(5_000_000);
  await clock.advance(9);
  expect([fired, clock.nowMs()]).toEqual([false, 5_000_009]);
  clock.setWall(0);
  await clock.advance(1);
  expect([fired, clock.nowMs(), clock.monotonicMs()]).toEqual([true, 1, 10]);
});

test('two advances at once are refused', async () => {
  const clock = createManualClock();
  const first = clock.advance(10);
  await expect(clock.advance(10)).rejects.toThrow(InvariantError);
  await first;
  expect(clock.monotonicMs()).toBe(10);
});
