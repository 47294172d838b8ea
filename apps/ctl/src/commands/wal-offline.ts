/** wal verify, dump, repair. */
import { cellText } from '../byte-text.js';
import type { Action, CommandContext } from '../command-host.js';
import { CtlError, usageError } from '../ctl-error.js';
import { optionalInteger, text } from '../flag-values.js';
import type { Damage, DumpedRecord } from '../offline-tools.js';
import { bytesFields } from '../output/entry-view.js';
import { formatBytes, formatCount, formatTime } from '../output/quantities.js';
import { checkDirectory, damageError, damageFields, withOfflineProgress } from './offline-run.js';

/** `wal verify <directory>` */
export const verifyLog: Action = async (context, values) => {
  const directory = checkDirectory(values[0] as string);
  const { wal } = await context.host.offlineTools();
  const report = await withOfflineProgress(context, 'verify', (options) => wal.verify(directory, options));
  if (context.signal.aborted) return;
  const { problems, tornTail } = report;
  await context.print.document({ ok: problems.length === 0, ...report }, [
    ['Records', `${formatCount(report.records)} (LSN ${report.firstLsn} to ${report.lastLsn})`],
    ['Segments', `${formatCount(report.segments)}, ${formatBytes(report.bytes)}`],
    [
      'Torn tail',
      tornTail === undefined ? 'none' : `${place(tornTail)}; opening cuts it, nothing acknowledged is lost`,
    ],
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
  for await (const record of records) {
    if (context.signal.aborted || context.terminal.stdout.destroyed) return;
    await printRecord(context, record, payload, maxLength);
    left -= 1;
    if (left <= 0) return;
  }
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
  const { wal } = await context.host.offlineTools();
  if (salvage === undefined) {
    await context.confirm(`The log in '${directory}' will be cut behind its last good frame; a copy is kept.`);
  }
  const report = await withOfflineProgress(context, 'repair', (options) =>
    salvage === undefined ? wal.truncateTail(directory, options) : wal.salvage(directory, salvage, options),
  );
  if (context.signal.aborted) throw new CtlError('INTERRUPTED', 'interrupted; verify the directory before using it');
  await context.print.document(report, [
    ['Records kept', formatCount(report.records)],
    ['Bytes given up', formatCount(report.bytesDropped)],
    ['Kept at', report.keptAt || '-'],
  ]);
};

function place({ file, offset, bytes }: Damage): string {
  return `${file} at ${offset}, ${formatBytes(bytes)}`;
}
