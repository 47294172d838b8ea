import { expect, test } from 'vitest';
import { cutLinks } from './cut-links.js';
import { targetsOf } from './perform-fault.js';
import { describeStep, drawSchedule, faultKinds, type partitionShapes, type ScheduleOptions } from './schedule.js';

const options: ScheduleOptions = { seed: 7, nodes: 5, seconds: 300, kinds: faultKinds, electionMs: 1000 };

test('the same seed gives the same schedule, another one another', () => {
  const schedule = drawSchedule(options).map(describeStep);
  expect(drawSchedule(options).map(describeStep)).toEqual(schedule);
  expect(drawSchedule({ ...options, seed: 8 }).map(describeStep)).not.toEqual(schedule);
});

test('faults lie between a quiet beginning and a quiet end, and all kinds that were asked for come', () => {
  for (let seed = 0; seed < 20; seed++) {
    const schedule = drawSchedule({ ...options, seed });
    expect(new Set(schedule.map(({ fault }) => fault.kind)), `seed ${seed}`).toEqual(new Set(faultKinds));
    const outside = schedule.filter(({ atMs, forMs }) => atMs < 3000 || atMs + forMs > 298_500);
    expect(outside, `seed ${seed}`).toEqual([]);
    const orders = new Set(schedule.map(({ fault }) => [...fault.order].sort().join()));
    expect(orders, `seed ${seed}`).toEqual(new Set(['1,2,3,4,5']));
  }
});

test('two faults of one kind are never there at once: what heals one would heal the other', () => {
  for (let seed = 0; seed < 20; seed++) {
    const schedule = drawSchedule({ ...options, seed });
    const doubled = schedule.filter(({ atMs, forMs, fault }, i) =>
      schedule.slice(i + 1).some((step) => step.atMs < atMs + forMs && step.fault.kind === fault.kind),
    );
    expect(doubled, `seed ${seed}`).toEqual([]);
  }
});

test('no kinds, no faults', () => {
  expect(drawSchedule({ ...options, kinds: [] })).toEqual([]);
});

/** Whom each of five nodes hears. */
function heard(shape: (typeof partitionShapes)[number]): Record<number, number[]> {
  const ids = [1, 2, 3, 4, 5];
  const links = cutLinks(shape, [3, 1, 2, 4, 5]).map(({ from, to }) => `${from}>${to}`);
  return Object.fromEntries(
    ids.map((to) => [to, ids.filter((from) => from !== to && !links.includes(`${from}>${to}`))]),
  );
}

test('partitions close the ways that their names say', () => {
  expect(heard('full')).toEqual({ 1: [], 2: [], 3: [], 4: [], 5: [] });
  expect(heard('halves')).toEqual({ 1: [3], 2: [4, 5], 3: [1], 4: [2, 5], 5: [2, 4] });
  expect(heard('one-way')).toEqual({ 1: [2, 4, 5], 2: [1, 4, 5], 3: [1, 2, 4, 5], 4: [1, 2, 5], 5: [1, 2, 4] });
  expect(heard('bridge')).toEqual({ 1: [3, 5], 2: [4, 5], 3: [1, 5], 4: [2, 5], 5: [1, 2, 3, 4] });
  expect(heard('isolate')).toEqual({ 1: [2, 4, 5], 2: [1, 4, 5], 3: [], 4: [1, 2, 5], 5: [1, 2, 4] });
  expect(cutLinks('slow', [1, 2, 3])).toEqual([]);
});

test('a minority is less than half, and a leader alone', () => {
  expect(targetsOf('minority', [5, 4, 3, 2, 1])).toEqual([5, 4]);
  expect(targetsOf('minority', [4, 3, 2, 1])).toEqual([4]);
  expect(targetsOf('leader', [2, 1, 3])).toEqual([2]);
  expect(targetsOf('all', [2, 1, 3])).toEqual([2, 1, 3]);
});
