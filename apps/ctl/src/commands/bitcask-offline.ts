/** bitcask verify, stats, merge, snapshot, rebuild-hints. */
import type { Action } from '../command-host.js';
import { numberFields } from '../output/number-fields.js';
import { formatBytes, formatCount } from '../output/quantities.js';
import { checkDirectory, damageError, damageFields, withOfflineProgress } from './offline-run.js';

/** `bitcask verify <directory>` */
export const verifyStore: Action = async (context, values) => {
  const directory = checkDirectory(values[0] as string);
  const { bitcask } = await context.host.offlineTools();
  const report = await withOfflineProgress(context, 'verify', 'bytes', (options) => bitcask.verify(directory, options));
  if (context.signal.aborted) return;
  await context.print.document({ ok: report.problems.length === 0, ...report }, [
    ['Records', formatCount(report.records)],
    ['Segments', `${formatCount(report.segments)}, ${formatBytes(report.bytes)}`],
    ...damageFields(report.problems),
  ]);
  if (report.problems.length > 0) throw damageError(directory, report.problems);
};

/** `bitcask stats <directory>` */
export const showStoreStats: Action = async (context, values) => {
  const directory = checkDirectory(values[0] as string);
  const { bitcask } = await context.host.offlineTools();
  const stats = await bitcask.stats(directory);
  await context.print.document(stats, numberFields(stats));
};

/** `bitcask merge <directory>` */
export const mergeStore: Action = async (context, values) => {
  const directory = checkDirectory(values[0] as string);
  const { bitcask } = await context.host.offlineTools();
  const result = await withOfflineProgress(context, 'merge', 'bytes', (options) => bitcask.merge(directory, options));
  await context.print.document(result, numberFields(result));
};

/** `bitcask snapshot <directory> <target>` */
export const snapshotStore: Action = async (context, values) => {
  const directory = checkDirectory(values[0] as string);
  const target = values[1] as string;
  const { bitcask } = await context.host.offlineTools();
  const result = await withOfflineProgress(context, 'snapshot', 'bytes', (options) =>
    bitcask.snapshot(directory, target, options),
  );
  await context.print.document(result, numberFields(result));
};

/** `bitcask rebuild-hints <directory>` */
export const rebuildStoreHints: Action = async (context, values) => {
  const directory = checkDirectory(values[0] as string);
  const { bitcask } = await context.host.offlineTools();
  const result = await withOfflineProgress(context, 'rebuild hints', 'segments', (options) =>
    bitcask.rebuildHints(directory, options),
  );
  await context.print.document(result, [['Hint files', formatCount(result.hints)], ...damageFields(result.problems)]);
  if (result.problems.length > 0) throw damageError(directory, result.problems);
};
