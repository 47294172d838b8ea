/** log create, list, describe, delete. */
import type { Action, CommandContext } from '../command-host.js';
import type { LogDescription, LogSettings } from '../connection.js';
import { oneOf, optionalInteger, text } from '../flag-values.js';
import type { Field } from '../output/printer.js';
import { formatBytes, formatCount, formatDuration, formatTime } from '../output/quantities.js';

/** `log create <name>` */
export const createLog: Action = async (context, values, flags) => {
  const mode = oneOf(flags, 'mode', ['quorum', 'multi-master']);
  const acknowledgement = oneOf(flags, 'acknowledgement', ['local', 'quorum', 'all']);
  const cleanupPolicy = oneOf(flags, 'cleanupPolicy', ['delete', 'compact']);
  const retentionMs = optionalInteger(flags, 'retentionMs');
  const retentionBytes = optionalInteger(flags, 'retentionBytes');
  const retentionEntries = optionalInteger(flags, 'retentionEntries');
  const tombstoneRetentionMs = optionalInteger(flags, 'tombstoneRetentionMs');
  const log = await (await context.connect()).logs.create(values[0] as string, {
    ...(mode === undefined ? {} : { mode }),
    ...(acknowledgement === undefined ? {} : { acknowledgement }),
    ...(cleanupPolicy === undefined ? {} : { cleanupPolicy }),
    ...(retentionMs === undefined ? {} : { retentionMs }),
    ...(retentionBytes === undefined ? {} : { retentionBytes }),
    ...(retentionEntries === undefined ? {} : { retentionEntries }),
    ...(tombstoneRetentionMs === undefined ? {} : { tombstoneRetentionMs }),
  });
  await showLog(context, log);
};

/** `log list` */
export const listLogs: Action = async (context, _values, flags) => {
  const logs = await (await context.connect()).logs.list(text(flags, 'prefix') ?? '');
  const list = context.print.list<LogDescription>(
    [
      { title: 'NAME', text: (log) => log.name },
      { title: 'MODE', text: (log) => log.settings.mode ?? '-' },
      { title: 'FIRST', text: (log) => String(log.origins[0]?.firstSequence ?? '-'), align: 'right' },
      { title: 'LAST', text: (log) => String(log.origins[0]?.lastSequence ?? '-'), align: 'right' },
      { title: 'SIZE', text: (log) => formatBytes(totalBytes(log)), align: 'right' },
      { title: 'CREATED', text: (log) => formatTime(log.createdAtMs) },
    ],
    (log) => log,
  );
  for (const log of logs) await list.row(log);
  await list.end();
};

/** `log describe <name>` */
export const describeLog: Action = async (context, values) => {
  await showLog(context, await (await context.connect()).logs.describe(values[0] as string));
};

/** `log delete <name>` */
export const deleteLog: Action = async (context, values) => {
  const name = values[0] as string;
  await context.confirm(`The log '${name}' and all its entries will be deleted.`);
  await (await context.connect()).logs.delete(name);
  await context.print.document({ deleted: name }, [['deleted', name]]);
};

async function showLog(context: CommandContext, log: LogDescription): Promise<void> {
  const { settings } = log;
  const fields: Field[] = [
    ['Name', log.name],
    ['Id', String(log.logId)],
    ['Mode', settings.mode ?? '-'],
    ['Acknowledgement', settings.acknowledgement ?? '-'],
    ['Retention', retentionText(settings)],
    ['Cleanup', settings.cleanupPolicy ?? '-'],
    ['Created', formatTime(log.createdAtMs)],
  ];
  for (const part of log.origins) {
    const range = part.lastSequence === 0 ? 'empty' : `${part.firstSequence} to ${part.lastSequence}`;
    const size = `${formatBytes(part.bytes)} in ${formatCount(part.segments)} segments`;
    fields.push([originTitle(part, log.origins), `${range}, ${size}`]);
  }
  await context.print.document(log, fields);
}

type OriginRange = Pick<LogDescription['origins'][number], 'origin' | 'epoch'>;

/** With its epoch, where it wrote in several. */
function originTitle({ origin, epoch }: OriginRange, all: readonly OriginRange[]): string {
  if (origin === 0) return 'Entries';
  const isOne = all.filter((one) => one.origin === origin).length === 1;
  return isOne ? `Origin ${origin}` : `Origin ${origin}.${epoch}`;
}

function retentionText({ retentionMs = 0, retentionBytes = 0, retentionEntries = 0 }: LogSettings): string {
  const limits = [];
  if (retentionMs > 0) limits.push(formatDuration(retentionMs));
  if (retentionBytes > 0) limits.push(formatBytes(retentionBytes));
  if (retentionEntries > 0) limits.push(`${formatCount(retentionEntries)} entries`);
  return limits.length === 0 ? 'everything' : limits.join(' or ');
}

function totalBytes(log: LogDescription): number {
  return log.origins.reduce((sum, { bytes }) => sum + bytes, 0);
}
