import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { BenchScope } from './bench-scope.js';
import { reportText } from './report-text.js';
import { CaseSkipped, runSuite, type Suite } from './suite.js';

const settings = { seconds: 0.02, rounds: 3, only: '' };

function suite(order: string[] = []): Suite {
  const one = (name: string, rates: readonly number[]) => ({
    name,
    what: name,
    unit: 'calls',
    measure: async (round: number) => {
      order.push(`${name}${round}`);
      const operations = rates[round - 1] ?? 0;
      const latency = { p50Ms: round, p90Ms: 1, p99Ms: 1, p999Ms: 1, maxMs: 1, samples: 10 };
      return { operations, errors: 1, elapsedMs: 1_000, latency, details: { weight: round } };
    },
  });
  return {
    name: 'example',
    syncMode: 'never',
    notes: ['a note'],
    cases: [
      one('a', [10, 1_000, 30]),
      one('b', [1, 2, 3]),
      { ...one('d', [5]), isMeasuredOnce: true },
      { ...one('c', []), skipped: 'there is no c here' },
    ],
    judge: (cases) => [{ name: 'a', value: cases.get('a')?.perSecond ?? 0, unit: '/s', atLeast: 31, holds: false }],
    close: async () => {},
  };
}

test('rounds are interleaved, rates and percentiles are medians, errors add up', async () => {
  const scope = await BenchScope.open();
  try {
    const order: string[] = [];
    const report = await runSuite(suite(order), settings, scope, () => {});
    expect(order).toEqual(['a1', 'b1', 'd1', 'a2', 'b2', 'a3', 'b3']);
    expect(report.cases[0]).toMatchObject({ perSecond: 30, perSecondOfRounds: [10, 1_000, 30], errors: 3 });
    expect(report.cases[0]).toMatchObject({ latency: { p50Ms: 2, samples: 30 }, details: { weight: 2 } });
    expect(report.syncProbe.before.perSecond).toBeGreaterThan(0);
    const { millionPerCpuSecond, cpuShare } = report.processorProbe.after;
    expect(millionPerCpuSecond).toBeGreaterThan(1);
    expect(cpuShare).toBeGreaterThan(0);
    expect(cpuShare).toBeLessThanOrEqual(1);
    const text = reportText(report);
    expect(text).toContain('skipped: there is no c here');
    expect(text).toContain('MISSED a: 30 /s (at least 31)');
    expect(text).toContain('coordinated omission');
  } finally {
    await scope.close();
  }
  expect(existsSync(scope.directory)).toBe(false);
});

test('a case that finds out only by trying that it cannot run is skipped with its reason; a failure ends the run', async () => {
  const scope = await BenchScope.open();
  const failing = (error: Error): Suite => {
    const whole = suite();
    const cases = whole.cases.map((each) =>
      each.name === 'b' ? { ...each, measure: () => Promise.reject(error) } : each,
    );
    return { ...whole, cases };
  };
  try {
    const report = await runSuite(failing(new CaseSkipped('no b on this machine')), settings, scope, () => {});
    expect(report.cases[1]).toMatchObject({ name: 'b', skipped: 'no b on this machine', operations: 0 });
    await expect(runSuite(failing(new Error('broken')), settings, scope, () => {})).rejects.toThrow('broken');
  } finally {
    await scope.close();
  }
});

test('only cases whose name holds one of the texts run; a text that no name holds is an error that lists them', async () => {
  const scope = await BenchScope.open();
  try {
    const report = await runSuite(suite(), { ...settings, only: 'b,x' }, scope, () => {});
    expect(report.cases.map(({ name }) => name)).toEqual(['b']);
    await expect(runSuite(suite(), { ...settings, only: 'x' }, scope, () => {})).rejects.toThrow(
      /there are: a, b, d, c/,
    );
  } finally {
    scope.abandon();
  }
  expect(existsSync(scope.directory)).toBe(false);
});
