/**
 * A suite is a list of cases, measured in rounds: the first case, the second, …, then all again. A minute in which the
 * machine was busy elsewhere so touches one round of every case instead of every round of one, and the median of the
 * rounds drops it.
 */
import type { BenchScope } from './bench-scope.js';
import { describeMachine } from './machine.js';
import { median } from './median.js';
import { probeProcessor } from './processor-probe.js';
import type {
  BenchReport,
  BenchSettings,
  CaseReport,
  LatencySummary,
  Measurement,
  SyncProbe,
  TargetReport,
} from './report.js';
import { probeSync } from './sync-probe.js';

/** One thing to measure. */
export interface BenchCase {
  /** Short, for `--only` and tables. */
  readonly name: string;
  readonly what: string;
  /** What is counted: `appends`, `puts`, … */
  readonly unit: string;
  /** Why it cannot run here; absent: it can. */
  readonly skipped?: string;
  /** Only in the first round: it takes long and its rate is not the point. Default false. */
  readonly isMeasuredOnce?: boolean;
  measure(round: number): Promise<Measurement>;
}

/** What `measure` throws where only trying shows that a case cannot run here; the report then says why. */
export class CaseSkipped extends Error {
  override readonly name = 'CaseSkipped';
}

/** Cases, what is asked of them, and how to take them down. */
export interface Suite {
  readonly name: string;
  readonly syncMode: string;
  readonly notes: readonly string[];
  readonly cases: readonly BenchCase[];
  /** Ratios and targets; cases that did not run are missing from the map. */
  judge(cases: ReadonlyMap<string, CaseReport>, probe: SyncProbe): readonly TargetReport[];
  close(): Promise<void>;
}

/** Said of every suite. */
const commonNotes = [
  'Closed loops: a caller waits for its answer before it asks again, so latencies leave out what requests arriving at a fixed rate would have waited (coordinated omission).',
  'Medians of interleaved rounds. Absolute numbers belong to this machine and minute; compare ratios.',
];

/** Runs a suite. `progress` hears a line for each measurement. */
export async function runSuite(
  suite: Suite,
  settings: BenchSettings,
  scope: BenchScope,
  progress: (line: string) => void,
): Promise<BenchReport> {
  const machine = describeMachine();
  const startedAt = new Date().toISOString();
  const texts = settings.only.split(',');
  const chosen = suite.cases.filter(({ name }) => texts.some((text) => name.includes(text)));
  if (chosen.length === 0) {
    const names = suite.cases.map(({ name }) => name).join(', ');
    throw new RangeError(`no case of '${suite.name}' has '${settings.only}' in its name; there are: ${names}`);
  }
  const probeSeconds = Math.min(1, settings.seconds / 2);
  const before = probeSync(scope.directory, probeSeconds);
  const processorBefore = probeProcessor(probeSeconds / 2);
  progress(`disk: ${Math.round(before.perSecond)} syncs/s`);
  const measured = await measureInRounds(chosen, settings.rounds, progress);
  const after = probeSync(scope.directory, probeSeconds);
  const processorAfter = probeProcessor(probeSeconds / 2);
  const cases = measured.map(summarise);
  const ran = new Map(cases.filter(({ skipped }) => skipped === undefined).map((each) => [each.name, each]));
  return {
    suite: suite.name,
    startedAt,
    machine,
    settings,
    syncMode: suite.syncMode,
    syncProbe: { before, after },
    processorProbe: { before: processorBefore, after: processorAfter },
    cases,
    targets: suite.judge(ran, before.perSecond > after.perSecond ? before : after),
    notes: [...commonNotes, ...suite.notes],
  };
}

/** A case with what was measured of it, or why nothing was. */
interface MeasuredCase {
  readonly each: BenchCase;
  readonly measurements: Measurement[];
  skipped: string | undefined;
}

async function measureInRounds(
  cases: readonly BenchCase[],
  rounds: number,
  progress: (line: string) => void,
): Promise<readonly MeasuredCase[]> {
  const all = cases.map((each): MeasuredCase => ({ each, measurements: [], skipped: each.skipped }));
  for (let round = 1; round <= rounds; round++) {
    for (const one of all) {
      const { each, measurements } = one;
      if (one.skipped !== undefined || (each.isMeasuredOnce && round > 1)) continue;
      try {
        const measurement = await each.measure(round);
        measurements.push(measurement);
        progress(`round ${round}/${rounds}  ${each.name}: ${Math.round(rateOf(measurement))} ${each.unit}/s`);
      } catch (error) {
        if (!(error instanceof CaseSkipped)) throw error;
        one.skipped = error.message;
        progress(`round ${round}/${rounds}  ${each.name}: skipped, ${error.message}`);
      }
    }
  }
  return all;
}

function rateOf({ operations, elapsedMs }: Measurement): number {
  return elapsedMs > 0 ? (operations * 1_000) / elapsedMs : 0;
}

function summarise({ each, measurements: measured, skipped }: MeasuredCase): CaseReport {
  const { name, what, unit } = each;
  const rates = measured.map(rateOf);
  const sum = (pick: (measurement: Measurement) => number) => measured.reduce((total, one) => total + pick(one), 0);
  const latency = medianLatency(measured.flatMap((one) => (one.latency === undefined ? [] : [one.latency])));
  const details = medianDetails(measured);
  return {
    name,
    what,
    unit,
    perSecond: median(rates),
    perSecondOfRounds: rates,
    operations: sum(({ operations }) => operations),
    errors: sum(({ errors }) => errors),
    ...(latency === undefined ? {} : { latency }),
    ...(details === undefined ? {} : { details }),
    ...(skipped === undefined ? {} : { skipped }),
  };
}

function medianLatency(summaries: readonly LatencySummary[]): LatencySummary | undefined {
  if (summaries.length === 0) return undefined;
  const of = (pick: (summary: LatencySummary) => number) => median(summaries.map(pick));
  return {
    p50Ms: of(({ p50Ms }) => p50Ms),
    p90Ms: of(({ p90Ms }) => p90Ms),
    p99Ms: of(({ p99Ms }) => p99Ms),
    p999Ms: of(({ p999Ms }) => p999Ms),
    maxMs: of(({ maxMs }) => maxMs),
    samples: summaries.reduce((total, { samples }) => total + samples, 0),
  };
}

function medianDetails(measured: readonly Measurement[]): Record<string, number> | undefined {
  const names = new Set(measured.flatMap(({ details }) => Object.keys(details ?? {})));
  if (names.size === 0) return undefined;
  const values = (name: string) => measured.flatMap(({ details }) => details?.[name] ?? []);
  return Object.fromEntries([...names].map((name) => [name, median(values(name))]));
}
