/** bench: options in, report out. */
import type { Action, CommandContext, Flags } from '../command-host.js';
import { CtlError, usageError } from '../ctl-error.js';
import { integer, optionalInteger, text } from '../flag-values.js';
import type { Field } from '../output/printer.js';
import { startProgress } from '../output/progress.js';
import { formatCount, formatDuration } from '../output/quantities.js';
import { type LatencySummary, removeKeys, runWorkload, type Workload, type WorkloadReport } from './workload.js';

/** `bench` */
export const runBench: Action = async (context, _values, flags) => {
  const workload = workloadOf(context, flags);
  const connection = await context.connect({ sessions: true });
  const progress = await startProgress(context.terminal, context.settings, {
    label: 'bench',
    unit: 'records',
    ...(Number.isFinite(workload.operations) ? { total: workload.operations } : {}),
  });
  let report: WorkloadReport;
  try {
    report = await runWorkload(connection, workload, (done) => progress.update(done));
  } finally {
    progress.stop();
  }
  if (flags['keep'] !== true) {
    await removeKeys(connection, workload).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      context.print.note(`the keys with prefix '${workload.prefix}' could not be removed: ${reason}`);
    });
  }
  await context.print.document(report, reportFields(report));
  if (report.completed === 0 && report.total > 0) {
    const codes = Object.keys(report.errors).join(', ');
    throw new CtlError('LOCAL_FAILURE', `every request failed (${codes})`);
  }
};

function workloadOf(context: CommandContext, flags: Flags): Workload {
  const durationMs = optionalInteger(flags, 'durationMs', 1);
  const operations = optionalInteger(flags, 'operations', 1);
  const getShare = Number(text(flags, 'getShare') ?? '0.5');
  if (!(getShare >= 0 && getShare <= 1)) throw usageError(`--get-share '${text(flags, 'getShare')}' is not in [0, 1]`);
  const prefix = text(flags, 'prefix') ?? 'bench:';
  if (prefix === '') throw usageError('--prefix is empty: the keys could not be told from others');
  return {
    operations: operations ?? (durationMs === undefined ? 100_000 : Number.POSITIVE_INFINITY),
    durationMs: durationMs ?? Number.POSITIVE_INFINITY,
    concurrency: integer(flags, 'concurrency', 64, 1, 10_000),
    getShare,
    keys: integer(flags, 'keys', 10_000, 1, 100_000_000),
    valueBytes: integer(flags, 'valueBytes', 128, 0, 16 * 1024 * 1024),
    prefix,
    seed: integer(flags, 'seed', 1),
    signal: context.signal,
  };
}

function reportFields(report: WorkloadReport): Field[] {
  const fields: Field[] = [
    [
      'Requests',
      `${formatCount(report.total)} in ${formatDuration(report.durationMs)}, ${report.concurrency} in flight`,
    ],
    ['Throughput', `${formatCount(report.perSecond)} successful requests/s`],
  ];
  const errors = Object.entries(report.errors).map(([code, count]) => `${code} ${formatCount(count)}`);
  fields.push(['Errors', errors.length === 0 ? 'none' : errors.join(', ')]);
  for (const [name, latency] of Object.entries(report.latency)) {
    if (latency.count > 0) fields.push([`${name} (${formatCount(latency.count)})`, latencyText(latency)]);
  }
  return fields;
}

function latencyText(latency: LatencySummary): string {
  const ms = (value: number) => `${value.toFixed(3)} ms`;
  const { p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = latency;
  return `p50 ${ms(p50Ms)}  p90 ${ms(p90Ms)}  p99 ${ms(p99Ms)}  p99.9 ${ms(p999Ms)}  max ${ms(maxMs)}`;
}
