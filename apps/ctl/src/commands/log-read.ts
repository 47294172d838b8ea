/** log read and log tail. */
import type { Action, CommandContext, Flags } from '../command-host.js';
import type { LogEntry, LogReading, LogStart } from '../connection.js';
import { usageError } from '../ctl-error.js';
import { oneOf, optionalInteger, time } from '../flag-values.js';
import { logEntryJson, logEntryLine } from '../output/entry-view.js';

/** `log read <name>` */
export const readLog: Action = async (context, values, flags) => {
  const limit = optionalInteger(flags, 'limit', 0) ?? Number.MAX_SAFE_INTEGER;
  const start = startOf(flags);
  const reading = readingOf(flags);
  if (limit === 0) return;
  const { logs } = await context.connect();
  const entries = logs.read(values[0] as string, { ...start, ...reading, limit, signal: context.signal });
  await printEntries(context, flags, entries, limit);
};

/** `log tail <name>` */
export const tailLog: Action = async (context, values, flags) => {
  const count = optionalInteger(flags, 'count', 1) ?? Number.MAX_SAFE_INTEGER;
  const start = startOf(flags);
  const fromEnd = flags['fromEnd'] === true;
  const reading = readingOf(flags);
  if (fromEnd && Object.keys(start).length > 0) throw usageError('--from-end or another start, not both');
  const { logs } = await context.connect();
  // A reader that went away (`| head`) ends the tail although nothing is appended.
  const ending = new AbortController();
  const end = () => ending.abort();
  context.terminal.stdout.once('close', end);
  context.signal.addEventListener('abort', end);
  try {
    const entries = logs.tail(values[0] as string, { ...start, ...reading, fromEnd, signal: ending.signal });
    await printEntries(context, flags, entries, count);
  } catch (error) {
    if (!context.terminal.stdout.destroyed) throw error;
  } finally {
    context.terminal.stdout.off('close', end);
    context.signal.removeEventListener('abort', end);
  }
};

/** Whose entries, and from whose copy. */
function readingOf(flags: Flags): LogReading {
  const origin = optionalInteger(flags, 'origin', 1);
  const order = oneOf(flags, 'order', ['arrival', 'time']);
  if (flags['allOrigins'] === true && origin !== undefined) throw usageError('--origin or --all-origins, not both');
  return {
    ...(origin === undefined ? {} : { origin }),
    ...(order === undefined ? {} : { order }),
    ...(flags['allOrigins'] === true ? { allOrigins: true } : {}),
    ...(flags['here'] === true ? { here: true } : {}),
  };
}

function startOf(flags: Flags): LogStart {
  const fromSequence = optionalInteger(flags, 'from');
  const fromTimeMs = time(flags, 'fromTime');
  const last = optionalInteger(flags, 'last');
  if ([fromSequence, fromTimeMs, last].filter((start) => start !== undefined).length > 1) {
    throw usageError('one of --from, --from-time and --last, not several');
  }
  return {
    ...(fromSequence === undefined ? {} : { fromSequence }),
    ...(fromTimeMs === undefined ? {} : { fromTimeMs }),
    ...(last === undefined ? {} : { last }),
  };
}

async function printEntries(
  context: CommandContext,
  flags: Flags,
  entries: AsyncIterable<LogEntry>,
  count: number,
): Promise<void> {
  const { encoding } = context.settings;
  const maxLength = flags['wide'] === true ? Number.POSITIVE_INFINITY : 120;
  let left = count;
  for await (const entry of entries) {
    if (context.signal.aborted || context.terminal.stdout.destroyed) return;
    if (flags['values'] === true) await context.print.raw(Buffer.concat([entry.value, Buffer.from('\n')]));
    else await context.print.stream(logEntryJson(entry, encoding), logEntryLine(entry, encoding, maxLength));
    left -= 1;
    if (left <= 0) return;
  }
}
