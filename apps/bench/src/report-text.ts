import type { BenchReport, CaseReport, ProcessorProbe, SyncProbe, TargetReport } from './report.js';

/** The report for people: plain text in columns. */
export function reportText(report: BenchReport): string {
  const { machine, settings, syncProbe, processorProbe } = report;
  const rows = [
    ['case', 'median/s', 'rounds', 'p50 ms', 'p90 ms', 'p99 ms', 'p99.9 ms', 'max ms', 'errors', 'details'],
    ...report.cases.map(caseRow),
  ];
  const lines = [
    `${report.suite}, ${report.startedAt}`,
    `${machine.cores} cores (${machine.cpu}), ${machine.memoryMiB} MiB, node ${machine.node}, ${machine.kernel}, load ${machine.loadBefore} before`,
    `${settings.rounds} rounds of ${settings.seconds} s; sync mode: ${report.syncMode}`,
    `disk in this run (4 KiB overwrite + fdatasync): before ${probeText(syncProbe.before)}; after ${probeText(syncProbe.after)}`,
    `processor in this run: before ${processorText(processorProbe.before)}; after ${processorText(processorProbe.after)}`,
    '',
    ...columns(rows),
    '',
    ...report.targets.map(targetText),
    '',
    ...report.notes.map((note) => `* ${note}`),
  ];
  return `${lines.join('\n')}\n`;
}

function caseRow(each: CaseReport): string[] {
  if (each.skipped !== undefined) return [each.name, `skipped: ${each.skipped}`];
  const { latency, details = {} } = each;
  const times = latency && [latency.p50Ms, latency.p90Ms, latency.p99Ms, latency.p999Ms, latency.maxMs];
  const rates = each.perSecondOfRounds;
  return [
    each.name,
    quantity(each.perSecond),
    rates.length > 1 ? `${quantity(Math.min(...rates))}–${quantity(Math.max(...rates))}` : '',
    ...(times?.map(milliseconds) ?? ['', '', '', '', '']),
    String(each.errors),
    Object.entries(details)
      .map(([name, value]) => `${name} ${quantity(value)}`)
      .join(', '),
  ];
}

function probeText({ perSecond, p50Us, p99Us }: SyncProbe): string {
  return `${quantity(perSecond)}/s, p50 ${Math.round(p50Us)} µs, p99 ${Math.round(p99Us)} µs`;
}

function processorText({ millionPerCpuSecond, cpuShare }: ProcessorProbe): string {
  return `${quantity(millionPerCpuSecond)} million steps/s, ${Math.round(cpuShare * 100)} % of a core`;
}

function targetText(target: TargetReport): string {
  const { name, value, unit, holds, aimHolds } = target;
  const must = boundsText(target.atLeast, target.atMost);
  const aim = boundsText(target.aimAtLeast, target.aimAtMost);
  const asked = [must, aim === '' ? '' : `aim ${aim}: ${aimHolds ? 'reached' : 'not yet'}`].filter(
    (text) => text !== '',
  );
  const verdict = holds === undefined ? '      ' : holds ? 'ok    ' : 'MISSED';
  return `${verdict} ${name}: ${quantity(value)} ${unit}${asked.length === 0 ? '' : ` (${asked.join('; ')})`}`;
}

function boundsText(atLeast: number | undefined, atMost: number | undefined): string {
  return [
    ...(atLeast === undefined ? [] : [`at least ${quantity(atLeast)}`]),
    ...(atMost === undefined ? [] : [`at most ${quantity(atMost)}`]),
  ].join(' ');
}

/** Aligned to the left in the first and last column, to the right in between. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const full = rows.filter((row) => row.length > 2);
  const widths = (full[0] ?? []).map((_, column) => Math.max(...full.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = row.length > 2 || column === 0 ? (widths[column] ?? 0) : 0;
        return column === 0 ? cell.padEnd(width) : column === widths.length - 1 ? cell : cell.padStart(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

function quantity(value: number): string {
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

function milliseconds(value: number): string {
  return value < 0.1 ? value.toFixed(4) : value < 10 ? value.toFixed(2) : value.toFixed(1);
}
