import { expect, test } from 'vitest';
import { closedLoop } from './closed-loop.js';
import { Judge } from './judge.js';
import { LatencyRecorder } from './latency-recorder.js';
import { withLoopStalls } from './loop-stalls.js';
import { median } from './median.js';
import { openLoop } from './open-loop.js';
import type { CaseReport } from './report.js';

test('a median is the middle value, the mean of the two middle ones, or 0 of nothing', () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([])]).toEqual([2, 2.5, 0]);
});

test('percentiles are those of the latencies recorded, to three digits', () => {
  const latencies = new LatencyRecorder();
  for (let i = 1; i <= 1_000; i++) latencies.record(i / 10);
  const { p50Ms, p99Ms, p999Ms, maxMs, samples } = latencies.summary() ?? {};
  expect(p50Ms).toBeCloseTo(50, 0);
  expect(p99Ms).toBeCloseTo(99, 0);
  expect(maxMs).toBeCloseTo(100, 0);
  expect(p999Ms).toBeLessThanOrEqual(maxMs ?? 0);
  expect(samples).toBe(1_000);
  expect(new LatencyRecorder().summary()).toBeUndefined();
});

test('a closed loop keeps as many calls in flight as it has callers, and counts what it measured', async () => {
  let inFlight = 0;
  let most = 0;
  let calls = 0;
  const call = async () => {
    most = Math.max(most, ++inFlight);
    await new Promise((resolve) => setImmediate(resolve));
    inFlight--;
    calls++;
  };
  const measured = await closedLoop(call, { callers: 5, seconds: 0.05, warmUpSeconds: 0.01, operationsPerCall: 10 });
  expect(most).toBe(5);
  expect(measured.errors).toBe(0);
  expect(measured.operations % 10).toBe(0);
  expect(measured.operations).toBeLessThan(calls * 10);
  expect(measured.operations).toBeGreaterThan(0);
  expect(measured.elapsedMs).toBeGreaterThanOrEqual(50);
});

test('a closed loop ends although calls are answered at once, and counts failed ones as errors', async () => {
  const answered = await closedLoop(() => Promise.resolve(), { callers: 2, seconds: 0.02 });
  expect(answered.operations).toBeGreaterThan(0);
  const failed = await closedLoop(() => Promise.reject(new Error('no')), { callers: 64, seconds: 0.02 });
  expect(failed.operations).toBe(0);
  expect(failed.errors).toBeGreaterThan(0);
});

test('an open loop goes on while calls wait, and counts their waiting from when they were due', async () => {
  let calls = 0;
  const stuck: (() => void)[] = [];
  const call = async () => {
    if (++calls < 2_500) return;
    if (calls < 2_510) await new Promise<void>((resolve) => stuck.push(resolve));
    else for (const release of stuck) release();
  };
  const measured = await openLoop(call, 100_000, () => calls >= 2_510);
  expect(stuck.length).toBeGreaterThanOrEqual(10);
  expect(measured.operations).toBe(calls);
  expect(measured.latency?.samples).toBe(calls - 1_000);
  expect(
    (
      await openLoop(
        () => Promise.reject(new Error('no')),
        100_000,
        () => true,
      )
    ).operations,
  ).toBe(0);
});

test('a loop that was away for a while is seen as stalled for that long', async () => {
  const { result, stalls } = await withLoopStalls(async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const untilMs = performance.now() + 30;
    while (performance.now() < untilMs);
    return 'done';
  });
  expect(result).toBe('done');
  expect(stalls.longestStallMs).toBeGreaterThan(25);
});

test('a target holds within its bounds; what did not run is not judged', () => {
  const report = (name: string, rounds: readonly number[]): CaseReport => ({
    name,
    what: '',
    unit: 'calls',
    perSecond: median(rounds),
    perSecondOfRounds: rounds,
    operations: 1,
    errors: 0,
  });
  // In the third round the machine had other work: both were slow, their ratio was not.
  const judge = new Judge(
    new Map([
      ['a', report('a', [100, 110, 20])],
      ['b', report('b', [10, 10, 2])],
    ]),
  );
  judge.ratio('a', 'b', { atLeast: 10 });
  judge.ratio('a', 'b', { atLeast: 11 });
  judge.rate('b', { atMost: 9 });
  judge.rate('a');
  judge.rate('missing', { atLeast: 1 });
  judge.ratio('a', 'missing');
  expect(judge.targets.map(({ name, value, holds }) => [name, value, holds])).toEqual([
    ['a : b', 10, true],
    ['a : b', 10, false],
    ['b', 10, false],
    ['a', 100, undefined],
  ]);
});

test('an aim is judged apart from what must be, and the best of several is that of each round', () => {
  const report = (name: string, rounds: readonly number[]): CaseReport => ({
    name,
    what: '',
    unit: 'calls',
    perSecond: median(rounds),
    perSecondOfRounds: rounds,
    operations: 1,
    errors: 0,
  });
  const judge = new Judge(
    new Map([
      ['a', report('a', [30, 60, 30])],
      ['b', report('b', [10, 1, 1])],
      ['c', report('c', [1, 20, 10])],
    ]),
  );
  judge.ratioToBest('a', ['b', 'c', 'missing'], { atLeast: 3, aimAtLeast: 4 });
  judge.ratioToBest('a', ['missing'], { atLeast: 3 });
  judge.rate('a', { aimAtMost: 30 });
  expect(judge.targets).toEqual([
    { name: 'a : the best of b, c', value: 3, unit: 'x', atLeast: 3, aimAtLeast: 4, holds: true, aimHolds: false },
    { name: 'a', value: 30, unit: '/s', aimAtMost: 30, aimHolds: true },
  ]);
});
