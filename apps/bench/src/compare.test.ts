import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compareReports } from './compare.js';
import { comparisonText } from './comparison-text.js';
import { median } from './median.js';
import { readReport } from './read-report.js';
import type { BenchReport, CaseReport } from './report.js';

function report(cases: Record<string, readonly number[]>, only = '', cpuUsEach = 2): BenchReport {
  const probe = { millionPerCpuSecond: 600, cpuShare: 1 };
  const sync = { perSecond: 10_000, p50Us: 90, p99Us: 180 };
  return {
    suite: 'example',
    startedAt: '2026-01-01T00:00:00.000Z',
    machine: { cores: 2, cpu: 'a', memoryMiB: 1, node: 'v20', kernel: 'Linux', loadBefore: 0 },
    settings: { seconds: 2, rounds: 3, only },
    syncMode: 'never',
    syncProbe: { before: sync, after: sync },
    processorProbe: { before: probe, after: probe },
    cases: Object.entries(cases).map(
      ([name, perSecondOfRounds]): CaseReport => ({
        name,
        what: name,
        unit: 'puts',
        perSecond: median(perSecondOfRounds),
        perSecondOfRounds,
        operations: 1,
        errors: 0,
        details: { cpuUsEach },
        ...(perSecondOfRounds.length === 0 ? { skipped: 'not here' } : {}),
      }),
    ),
    targets: [],
    notes: [],
  };
}

const verdicts = (before: BenchReport, after: BenchReport) =>
  Object.fromEntries(compareReports(before, after, 0.1).changes.map(({ name, verdict }) => [name, verdict]));

test('a case is slower when its median fell beyond the threshold and no round reached the old ones', () => {
  const before = report({ a: [100, 110, 105], b: [100, 110, 105], c: [100, 60, 105], d: [100, 110, 105] });
  const after = report({ a: [70, 80, 75], b: [96, 105, 101], c: [70, 80, 75], d: [200, 210, 190] });
  expect(verdicts(before, after)).toEqual({ a: 'slower', b: 'same', c: 'same', d: 'faster' });
  const { isGood, changes } = compareReports(before, after, 0.1);
  expect(isGood).toBe(false);
  expect(changes[0]?.change).toBeCloseTo(-0.286, 3);
  expect(compareReports(before, before, 0.1).isGood).toBe(true);
});

test('a case that no longer runs is bad, unless it was not asked for; a new or skipped one is no loss', () => {
  const before = report({ a: [100], b: [100], s: [] });
  expect(verdicts(before, report({ a: [100], n: [5], s: [] }))).toEqual({ a: 'same', b: 'gone', n: 'new' });
  expect(compareReports(before, report({ a: [100] }), 0.1).isGood).toBe(false);
  expect(compareReports(before, report({ a: [100] }, 'a'), 0.1)).toMatchObject({
    isGood: true,
    changes: [{ name: 'a' }],
  });
});

test('the text puts the worst first, shows processor time, and warns of other machines and busy ones', () => {
  const before = report({ fine: [100], bad: [100] });
  const after = report({ fine: [101], bad: [50] }, '', 3);
  const busy = { ...after, machine: { ...after.machine, cpu: 'b' } };
  const probe = { millionPerCpuSecond: 600, cpuShare: 0.5 };
  const text = comparisonText(
    compareReports(before, { ...busy, processorProbe: { before: probe, after: probe } }, 0.1),
  );
  expect(text.split('\n')[1]).toBe('SLOWER bad    -50.0%  100 -> 50 puts/s, processor time each +50.0%');
  expect(text).toContain('* processor: a before, b after');
  expect(text).toContain('busy in the run after: a thread got 50 %');
  expect(text).toContain('SLOWER: see above');
});

test('reports of different suites, and files that are none, are refused', async () => {
  const before = report({ a: [1] });
  expect(() => compareReports(before, { ...before, suite: 'other' }, 0.1)).toThrow(
    "'example' and 'other' are different",
  );
  const directory = await mkdtemp(join(tmpdir(), 'shanghai-compare-'));
  try {
    const path = join(directory, 'report.json');
    await writeFile(path, JSON.stringify(before));
    expect(await readReport(path)).toEqual(before);
    for (const text of ['{', 'null', '{"suite":"a"}', '[]']) {
      await writeFile(path, text);
      await expect(readReport(path)).rejects.toThrow('is no report of this program');
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});
