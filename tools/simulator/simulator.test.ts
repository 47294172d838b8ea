import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { EventQueue } from './event-queue.js';
import type { Exercise } from './raft/exercise.js';
import { type FaultKind, faultKinds } from './raft/faults.js';
import { runSimulation, type SimulationOptions } from './raft/run-simulation.js';

interface KeptSeed {
  readonly seed: number;
  readonly nodes: number;
  readonly minutes: number;
  /** Default: all kinds. */
  readonly faults?: readonly FaultKind[];
  /** What it found when it was new. */
  readonly found: string;
}

const isDeep = process.env['SHANGHAI_DEEP'] === '1';
const firstSeed = Number(process.env['SHANGHAI_SEED'] ?? 1);
const kept = JSON.parse(readFileSync(new URL('kept-seeds.json', import.meta.url), 'utf8')) as readonly KeptSeed[];
const calm: Omit<SimulationOptions, 'seed'> = { nodes: 3, minutes: 1, operationsPerSecond: 5, faults: [] };

/** All kinds of faults, or about half of them: what many together keep from happening, few may find. */
function swarm(i: number): readonly FaultKind[] {
  if (i % 2 === 0) return faultKinds;
  if (i % 4 === 1) return ['crash', 'election'];
  return faultKinds.filter((_, place) => (Math.imul(i, 0x9e37_79b1) >>> place) & 1);
}

describe('seeds that once found something', () => {
  test.each(kept)('seed $seed, $nodes nodes: $found', ({ found: _found, ...options }) => {
    const { violation } = runSimulation({ operationsPerSecond: 5, faults: faultKinds, ...options });
    expect(violation, JSON.stringify(options)).toBeUndefined();
  });
});

test(`seeds from ${firstSeed} on find nothing, and go through everything that there is to go through`, () => {
  const sum: Partial<Record<keyof Exercise, number>> = {};
  for (let i = 0; i < (isDeep ? 2000 : 24); i++) {
    const faults = swarm(i);
    const options = { seed: firstSeed + i, nodes: 1 + (i % 5), minutes: 2, operationsPerSecond: 5, faults };
    const { violation, acknowledged, exercise } = runSimulation(options);
    expect(violation, JSON.stringify(options)).toBeUndefined();
    expect(acknowledged, JSON.stringify(options)).toBeGreaterThan(0);
    for (const [what, count] of Object.entries(exercise) as [keyof Exercise, number][]) {
      sum[what] = (sum[what] ?? 0) + count;
    }
  }
  const never = Object.entries(sum).filter(([, count]) => count === 0);
  expect(never, JSON.stringify(sum)).toEqual([]);
});

test('every kind of fault happens, by itself as well', () => {
  for (const kind of faultKinds) {
    let made = 0;
    const onTrace = (line: string) => {
      if (line.endsWith(`fault: ${kind}`)) made++;
      else expect(line).not.toContain('fault:');
    };
    expect(runSimulation({ ...calm, seed: 7, faults: [kind], onTrace }).violation, kind).toBeUndefined();
    expect(made, kind).toBeGreaterThan(0);
  }
});

test('a seed repeats to the last bit, and another seed is another simulation', () => {
  const run = (seed: number) => {
    const lines: string[] = [];
    const result = runSimulation({ ...calm, seed, faults: faultKinds, onTrace: (line) => lines.push(line) });
    return { result, lines };
  };
  const [first, again, other] = [run(3), run(3), run(4)];
  expect(again).toEqual(first);
  expect(first.lines.length).toBeGreaterThan(100);
  expect(other.lines).not.toEqual(first.lines);
  // Watching changes nothing.
  expect(runSimulation({ ...calm, seed: 3, faults: faultKinds })).toEqual(first.result);
});

test('without faults there is one leader for ever, and writes go through', () => {
  const { violation, exercise, acknowledged } = runSimulation({ ...calm, seed: 1 });
  expect(violation).toBeUndefined();
  expect(exercise).toMatchObject({ elections: 1, crashes: 0, lostRecords: 0, overwrites: 0, messagesLost: 0 });
  expect(acknowledged).toBeGreaterThan(40);
});

test('disks that lose what they said was synced are found out', () => {
  const found = [1, 2, 3, 4, 5, 6].map((seed) => {
    const options = { ...calm, seed, minutes: 4, faults: ['crash', 'partition'] as const };
    expect(runSimulation(options).violation).toBeUndefined();
    return runSimulation({ ...options, areDisksLying: true }).violation;
  });
  expect(found.filter((violation) => violation !== undefined).length).toBeGreaterThan(3);
});

describe('virtual time', () => {
  test('events happen in the order of their times, and of their making where these are equal', () => {
    const queue = new EventQueue();
    const happened: string[] = [];
    for (const [delayMs, name] of [
      [5, 'c'],
      [1, 'a'],
      [5, 'd'],
      [3, 'b'],
      [9, 'late'],
    ] as const) {
      queue.after(delayMs, () => happened.push(`${name}${queue.nowMs}`));
    }
    queue.runUntil(6);
    expect(happened).toEqual(['a1', 'b3', 'c5', 'd5']);
    expect([queue.nowMs, queue.done]).toEqual([6, 4]);
  });

  test('what an event begins happens in its turn, also at the same time', () => {
    const queue = new EventQueue();
    const happened: number[] = [];
    queue.after(1, () => {
      happened.push(1);
      queue.after(0, () => happened.push(3));
    });
    queue.after(1, () => happened.push(2));
    queue.runUntil(1);
    expect(happened).toEqual([1, 2, 3]);
  });
});
