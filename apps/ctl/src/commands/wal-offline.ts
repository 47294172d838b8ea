/** wal verify, dump, repair. */
import { cellText } from '../byte-text.js';
import type { Action, CommandContext } from '../command-host.js';
import { usageError } from '../ctl-error.js';
import { optionalInteger, text } from '../flag-values.js';
import type { Damage, DumpedRecord, LsnRange } from '../offline-tools.js';
import { bytesFields } from '../output/entry-view.js';
import type { Field } from '../output/printer.js';
import { formatBytes, formatCount, formatTime } from '../output/quantities.js';
import { checkDirectory, damageError, damageFields, damageText, withOfflineProgress } from './offline-run.js';

/** `wal verify <directory>` */
export const verifyLog: Action = async (context, values) => {
  const directory = checkDirectory(values[0] as string);
  const { wal } = await context.host.offlineTools();
  const report = await withOfflineProgress(context, 'verify', 'bytes', (options) => wal.verify(directory, options));
  if (context.signal.aborted) return;
  const { problems, tornTail } = report;
  await context.print.document({ ok: problems.length === 0, ...report }, [
    ['Records', `${formatCount(report.records)} (LSN ${report.firstLsn} to ${report.lastLsn})`],
    ['Segments', `${formatCount(report.segments)}, ${formatBytes(report.bytes)}`],
    [
      'Torn tail',
      tornTail === undefined
        ? 'none'
        : `${tornTail.segment} at ${tornTail.offset}; opening cuts it, nothing acknowledged is lost`,
    ],
    ...lostFields(report.lost),
    ...damageFields(problems),
  ]);
  if (problems.length > 0) throw damageError(directory, problems);
};

/** `wal dump <directory>` */
export const dumpLog: Action = async (context, values, flags) => {
  const directory = checkDirectory(values[0] as string);
  const from = optionalInteger(flags, 'from', 1);
  const to = optionalInteger(flags, 'to', 1);
  const stream = optionalInteger(flags, 'stream', 0, 2 ** 32 - 1);
  let left = optionalInteger(flags, 'limit', 0) ?? Number.MAX_SAFE_INTEGER;
  if (left === 0) return;
  const payload = flags['payload'] !== false;
  const maxLength = flags['wide'] === true ? Number.POSITIVE_INFINITY : 100;
  const { wal } = await context.host.offlineTools();
  const records = wal.dump(directory, {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(stream === undefined ? {} : { stream }),
    signal: context.signal,
  });
  const problems: Damage[] = [];
  for await (const item of records) {
    if (context.signal.aborted || context.terminal.stdout.destroyed) return;
    if ('damage' in item) {
      problems.push(item.damage);
      context.print.note(`damage: ${damageText(item.damage)}`);
      continue;
    }
    await printRecord(context, item, payload, maxLength);
    left -= 1;
    if (left <= 0) break;
  }
  if (problems.length > 0) throw damageError(directory, problems);
};

async function printRecord(
  context: CommandContext,
  record: DumpedRecord,
  payload: boolean,
  maxLength: number,
): Promise<void> {
  const { encoding } = context.settings;
  const { lsn, stream, kind, wallTimeMs } = record;
  const shown = payload ? `  ${cellText(record.payload, encoding, maxLength)}` : '';
  await context.print.stream(
    {
      lsn,
      stream,
      kind,
      wallTimeMs,
      bytes: record.payload.length,
      ...(payload ? bytesFields('payload', record.payload, encoding) : {}),
    },
    `${lsn}  stream ${stream}  kind ${kind}  ${formatTime(wallTimeMs)}  ${record.payload.length} B${shown}`,
  );
}

/** `wal repair <directory>` */
export const repairLog: Action = async (context, values, flags) => {
  const directory = checkDirectory(values[0] as string);
  const salvage = text(flags, 'salvage');
  if ((flags['truncateTail'] === true) === (salvage !== undefined)) {
    throw usageError('say how: --truncate-tail or --salvage <directory>');
  }
  if (salvage === undefined) await cut(context, directory);
  else await copyReadable(context, directory, salvage);
};

async function cut(context: CommandContext, directory: string): Promise<void> {
  const { wal } = await context.host.offlineTools();
  await context.confirm(`The log in '${directory}' will be cut at its first damage; copies are kept.`);
  const report = await withOfflineProgress(context, 'repair', 'bytes', (options) =>
    wal.truncateTail(directory, options),
  );
  const { changed, damage, copies, lastLsn } = report;
  await context.print.document(report, [
    ['Changed', changed ? 'yes' : 'no: nothing was damaged'],
    ...(damage === undefined ? [] : [['Cut at', damageText(damage)] as const]),
    ['Last LSN kept', String(lastLsn)],
    ...copies.map((copy) => ['Copy', copy] as const),
  ]);
}

async function copyReadable(context: CommandContext, directory: string, outDirectory: string): Promise<void> {
  const { wal } = await context.host.offlineTools();
  const report = await withOfflineProgress(context, 'salvage', 'bytes', (options) =>
    wal.salvage(directory, outDirectory, options),
  ).catch((error: unknown) => {
    if (context.signal.aborted) context.print.note(`'${outDirectory}' is not complete; remove it before trying again`);
    throw error;
  });
  await context.print.document(report, [
    ['Records', `${formatCount(report.records)} (LSN ${report.firstLsn} to ${report.lastLsn})`],
    ['New log', outDirectory],
    ...lostFields(report.lost),
  ]);
}

function lostFields(lost: readonly LsnRange[]): Field[] {
  return lost.map(({ firstLsn, lastLsn }) => ['Lost', `LSN ${firstLsn} to ${lastLsn}`]);
}
