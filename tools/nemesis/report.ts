/** What a run did and showed, for people and for programs. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { violationPage } from '../histories/violation-page.js';
import { keysModel } from '../simulator/cluster/keys-model.js';
import type { BadHistory } from '../simulator/cluster/recorder.js';
import { type Timeline, timelinePicture } from './timeline-picture.js';
import type { AcknowledgedWrite } from './workload.js';

/** A run's result, as `report.json` holds it. */
export interface NemesisReport {
  readonly verdict: 'ok' | 'violation' | 'undecided';
  readonly command: string;
  readonly startedAt: string;
  readonly seconds: number;
  readonly nodes: number;
  readonly seed: number;
  readonly network: string;
  readonly schedule: readonly string[];
  /** What was really done: seconds from the beginning, and what. */
  readonly events: readonly string[];
  /** What was found, in words. */
  readonly findings: readonly string[];
  readonly notes: readonly string[];
  readonly operations: number;
  readonly acknowledgedWrites: number;
  readonly unknown: number;
  readonly undecidedFamilies: number;
  readonly families: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  /** From the kill of a leader, with no other fault near, to the answer of the first write begun after it, in milliseconds. */
  readonly failoverMs: readonly number[];
  /** Times of some seconds in which no write was acknowledged, the longest first. */
  readonly gaps: readonly Gap[];
}

/** From each kill to the first answer to a write that was begun after it. Kills that nothing was answered after are left out. */
export function failoverTimes(killsMs: readonly number[], writes: readonly AcknowledgedWrite[]): readonly number[] {
  return killsMs.flatMap((killMs) => {
    const after = writes.filter(({ startMs }) => startMs >= killMs).map(({ endMs }) => endMs - killMs);
    return after.length === 0 ? [] : [after.reduce((least, one) => Math.min(least, one))];
  });
}

/** A time in which no write was acknowledged, in milliseconds from the beginning. */
export interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The times of at least `leastMs` between two acknowledgements, from `startMs` to `endMs`; the longest first. */
export function gapsOf(
  startMs: number,
  endMs: number,
  writes: readonly AcknowledgedWrite[],
  leastMs: number,
): readonly Gap[] {
  const times = [startMs, ...writes.map((write) => write.endMs).sort((a, b) => a - b), endMs];
  return times
    .map((time, i) => ({ fromMs: (times[i - 1] ?? time) - startMs, toMs: time - startMs }))
    .filter(({ fromMs, toMs }) => toMs - fromMs >= leastMs)
    .sort((a, b) => b.toMs - b.fromMs - (a.toMs - a.fromMs));
}

/** The value below which this share of the values lies; 0 of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/** The report as text. */
export function reportText(report: NemesisReport): string {
  const { failoverMs, counts, faults } = report;
  const times = [0.5, 0.99, 1].map((share) => Math.round(percentile(failoverMs, share)));
  const share = report.operations === 0 ? 0 : (100 * report.unknown) / report.operations;
  return [
    `verdict: ${report.verdict}`,
    ...report.findings.map((finding) => `  ${finding}`),
    ...report.notes.map((note) => `note: ${note}`),
    `command: ${report.command}`,
    `network: ${report.network}`,
    `operations: ${report.operations} (${report.acknowledgedWrites} acknowledged writes, ${report.unknown} unknown, ${share.toFixed(2)} %)`,
    `histories: ${report.families} families of keys, ${report.undecidedFamilies} undecided`,
    `failover: ${failoverMs.length} kills of a leader; first acknowledged write after p50 ${times[0]} ms, p99 ${times[1]} ms, max ${times[2]} ms`,
    ...(failoverMs.length === 0 ? [] : [`  each, in ms: ${failoverMs.map(Math.round).join(', ')}`]),
    `seconds without an acknowledged write: ${report.gaps.map(gapText).join(', ') || 'never more than two'}`,
    `faults: ${listOf(faults)}`,
    `clients were told: ${listOf(counts)}`,
  ].join('\n');
}

/** A row for a table of runs: date, command, faults, operations, unknown, failover, verdict. */
export function reportRow(report: NemesisReport): string {
  const { failoverMs } = report;
  const times = failoverMs.length === 0 ? '–' : [0.5, 0.99].map((share) => Math.round(percentile(failoverMs, share)));
  const share = report.operations === 0 ? 0 : (100 * report.unknown) / report.operations;
  const cells = [
    report.startedAt.slice(0, 10),
    `${report.seed}`,
    `${report.nodes} nodes, ${report.seconds} s`,
    listOf(report.faults),
    `${report.operations}`,
    `${report.unknown} (${share.toFixed(2)} %)`,
    Array.isArray(times) ? times.join(' / ') : times,
    report.verdict,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Writes the report, a page and a picture for each violation, and the histories that were not decided; gives the paths. */
export function writeReport(
  directory: string,
  report: NemesisReport,
  bad: readonly BadHistory[],
  undecided: readonly BadHistory[],
  timeline: Pick<Timeline, 'timeOf' | 'faults'>,
): readonly string[] {
  mkdirSync(directory, { recursive: true });
  const files: [string, string][] = [
    ['report.json', `${JSON.stringify(report, null, 2)}\n`],
    ['report.txt', `${reportText(report)}\n\n${report.events.join('\n')}\n`],
    ...bad.map(({ family, history, longest }): [string, string] => [
      `violation-${family}.html`,
      violationPage(`${family}, seed ${report.seed}`, history, longest, keysModel),
    ]),
    ...bad.map((one): [string, string] => [
      `violation-${one.family}.svg`,
      timelinePicture({ ...timeline, bad: one, title: `${one.family}, seed ${report.seed}: no order explains it` }),
    ]),
    ...undecided.map(({ family, history }): [string, string] => [
      `undecided-${family}.json`,
      // JSON has no infinity: an operation without a return has none there either.
      JSON.stringify(history.map((one) => (Number.isFinite(one.return) ? one : { ...one, return: undefined }))),
    ]),
  ];
  return files.map(([name, text]) => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  });
}

function gapText({ fromMs, toMs }: Gap): string {
  return `${((toMs - fromMs) / 1000).toFixed(1)} (${(fromMs / 1000).toFixed(1)} to ${(toMs / 1000).toFixed(1)})`;
}

function listOf(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
  return parts.length === 0 ? 'none' : parts.join(', ');
}
