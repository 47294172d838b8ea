/**
 * Two reports of one suite, case by case: what became slower, dearer, or went away. For a CI that watches speed. A rate
 * moves with whatever else the machine does, so a change counts only where the medians differ by more than the
 * threshold *and* the ranges of the rounds do not overlap; with a single round the threshold decides alone.
 */
import type { BenchReport, CaseReport } from './report.js';

/** What became of a case. */
export type Verdict = 'same' | 'faster' | 'slower' | 'gone' | 'new';

/** One case in both reports. */
export interface CaseChange {
  readonly name: string;
  readonly unit: string;
  readonly verdict: Verdict;
  /** After over before, minus one: -0.2 is a fifth slower. Absent where one of them did not run. */
  readonly change?: number;
  readonly beforePerSecond?: number;
  readonly afterPerSecond?: number;
  /** Processor time of an operation, after over before, minus one: above 0 is dearer. Absent where not measured. */
  readonly processorChange?: number;
}

/** The comparison of two reports. */
export interface Comparison {
  readonly suite: string;
  readonly threshold: number;
  readonly changes: readonly CaseChange[];
  /** Whether nothing is slower and nothing that ran is gone. */
  readonly isGood: boolean;
  /** What makes the two hard to compare: other machine, other settings, a busy processor. */
  readonly warnings: readonly string[];
}

/**
 * Compares `after` with `before`. `threshold`: relative change that counts, in (0, 1). Cases that `after` was not asked
 * for (`only`) are left out. Throws `TypeError` where they are not reports of the same suite.
 */
export function compareReports(before: BenchReport, after: BenchReport, threshold: number): Comparison {
  if (before.suite !== after.suite) throw new TypeError(`'${before.suite}' and '${after.suite}' are different suites`);
  const asked = after.settings.only.split(',');
  const ran = (report: BenchReport) =>
    new Map(report.cases.filter(({ skipped }) => skipped === undefined).map((each) => [each.name, each]));
  const [befores, afters] = [ran(before), ran(after)];
  const names = new Set([...befores.keys(), ...afters.keys()]);
  const changes = [...names]
    .filter((name) => asked.some((text) => name.includes(text)))
    .map((name) => compareCase(name, befores.get(name), afters.get(name), threshold));
  const isGood = changes.every(({ verdict }) => verdict !== 'slower' && verdict !== 'gone');
  return { suite: after.suite, threshold, changes, isGood, warnings: warningsOf(before, after) };
}

function compareCase(
  name: string,
  before: CaseReport | undefined,
  after: CaseReport | undefined,
  threshold: number,
): CaseChange {
  if (before === undefined || after === undefined)
    return { name, unit: (before ?? after)?.unit ?? '', verdict: before === undefined ? 'new' : 'gone' };
  const change = before.perSecond > 0 ? after.perSecond / before.perSecond - 1 : 0;
  const [cpuBefore, cpuAfter] = [before.details?.['cpuUsEach'], after.details?.['cpuUsEach']];
  return {
    name,
    unit: after.unit,
    verdict: verdictOf(change, before.perSecondOfRounds, after.perSecondOfRounds, threshold),
    change,
    beforePerSecond: before.perSecond,
    afterPerSecond: after.perSecond,
    ...(cpuBefore === undefined || cpuAfter === undefined || cpuBefore === 0
      ? {}
      : { processorChange: cpuAfter / cpuBefore - 1 }),
  };
}

function verdictOf(change: number, before: readonly number[], after: readonly number[], threshold: number): Verdict {
  if (Math.abs(change) <= threshold) return 'same';
  const isApart = change < 0 ? Math.max(...after) < Math.min(...before) : Math.min(...after) > Math.max(...before);
  if (!isApart) return 'same';
  return change < 0 ? 'slower' : 'faster';
}

function warningsOf(before: BenchReport, after: BenchReport): string[] {
  const warnings: string[] = [];
  const differs = (what: string, one: string | number, other: string | number) => {
    if (one !== other) warnings.push(`${what}: ${one} before, ${other} after`);
  };
  differs('processor', before.machine.cpu, after.machine.cpu);
  differs('cores', before.machine.cores, after.machine.cores);
  differs('node', before.machine.node, after.machine.node);
  differs('seconds', before.settings.seconds, after.settings.seconds);
  const probes = ({ processorProbe }: BenchReport) => [processorProbe.before, processorProbe.after];
  for (const [which, report] of [
    ['before', before],
    ['after', after],
  ] as const) {
    const share = Math.min(...probes(report).map(({ cpuShare }) => cpuShare));
    if (share < 0.9)
      warnings.push(`the machine was busy in the run ${which}: a thread got ${Math.round(share * 100)} %`);
  }
  return warnings;
}
