/** log consumers, commit, seek, forget, producer. */
import type { Action, CommandContext } from '../command-host.js';
import type { ConsumerPlace, LogConsumer, SeekTarget } from '../connection.js';
import { usageError } from '../ctl-error.js';
import { optionalInteger, text } from '../flag-values.js';
import { formatCount, formatDuration, formatTime } from '../output/quantities.js';
import { placeOf, positionsText, sequenceOf } from './log-positions.js';

/** `log consumers <name>` */
export const listConsumers: Action = async (context, values, flags) => {
  const consumers = await (await context.connect()).logs.consumers(values[0] as string, text(flags, 'prefix') ?? '');
  const list = context.print.list<LogConsumer>(
    [
      { title: 'CONSUMER', text: ({ name }) => name },
      { title: 'GENERATION', text: ({ generation }) => String(generation), align: 'right' },
      { title: 'POSITION', text: ({ positions }) => positionsText(positions), align: 'right' },
      { title: 'BEHIND', text: ({ lags }) => sumText(lags.map(({ entries }) => entries)), align: 'right' },
      { title: 'SINCE', text: ({ lags }) => ageText(lags.map(({ milliseconds }) => milliseconds)), align: 'right' },
      { title: 'LOST', text: ({ lags }) => sumText(lags.map(({ lostEntries }) => lostEntries)), align: 'right' },
      { title: 'COMMITTED', text: ({ committedAtMs }) => formatTime(committedAtMs) },
    ],
    (consumer) => consumer,
  );
  for (const consumer of consumers) await list.row(consumer);
  await list.end();
};

/** `log commit <name> <consumer> <position>` */
export const commitPosition: Action = async (context, values, flags) => {
  const [log, consumer, position] = values as [string, string, string];
  const generation = optionalInteger(flags, 'generation', 1);
  const options = generation === undefined ? {} : { generation };
  const place = await (await context.connect()).logs.commit(log, consumer, placeOf(position), options);
  await showPlace(context, { log, consumer, ...place });
};

/** `log seek <name> <consumer> --to <target>` */
export const seekConsumer: Action = async (context, values, flags) => {
  const [log, consumer] = values as [string, string];
  const to = targetOf(text(flags, 'to'));
  const dryRun = flags['dryRun'] === true;
  const place = await (await context.connect()).logs.seek(log, consumer, to, dryRun);
  const earlier: readonly (readonly [string, string])[] = [['earlier', positionsText(place.earlierPositions)]];
  await showPlace(context, { log, consumer, ...(dryRun ? { dryRun } : {}), ...place }, earlier);
};

/** `log forget <name> <consumer>` */
export const forgetConsumer: Action = async (context, values) => {
  const [log, consumer] = values as [string, string];
  await context.confirm(`The position of consumer '${consumer}' in log '${log}' will be forgotten.`);
  await (await context.connect()).logs.deleteConsumer(log, consumer);
  await context.print.document({ log, forgotten: consumer }, [['forgotten', consumer]]);
};

/** `log producer <name> <id>` */
export const showProducer: Action = async (context, values) => {
  const [log, id] = values as [string, string];
  const producerId = sequenceOf(id);
  const known = await (await context.connect()).logs.producer(log, producerId);
  if (known === undefined) {
    await context.print.document({ log, producerId, found: false }, [['producer', 'not known']]);
    return;
  }
  await context.print.document({ log, producerId, found: true, ...known }, [
    ['Epoch', String(known.epoch)],
    ['Last record', String(known.lastSequence)],
    ['In the log at', `${known.logSequence}, ${formatTime(known.timeMs)}`],
  ]);
};

function targetOf(word: string | undefined): SeekTarget {
  if (word === undefined)
    throw usageError('--to is missing: start, end, @<time>, or the last entry that was worked on');
  if (word === 'start' || word === 'end') return word;
  if (!word.startsWith('@')) {
    const place = placeOf(word);
    return { positions: typeof place === 'number' ? [{ sequence: place }] : place };
  }
  const time = word.slice(1);
  const timeMs = /^\d+$/.test(time) ? Number(time) : Date.parse(time);
  if (Number.isSafeInteger(timeMs) && timeMs >= 0) return { timeMs };
  throw usageError(`'${time}' is no time: ISO 8601 or milliseconds since 1970`);
}

async function showPlace(
  context: CommandContext,
  place: ConsumerPlace & { readonly log: string; readonly consumer: string; readonly dryRun?: boolean },
  more: readonly (readonly [string, string])[] = [],
): Promise<void> {
  await context.print.document(place, [
    ['consumer', place.consumer],
    ['generation', String(place.generation)],
    ['position', positionsText(place.positions)],
    ...more,
  ]);
}

/** Not known is not nothing. */
function sumText(numbers: readonly (number | undefined)[]): string {
  let sum = 0;
  for (const number of numbers) {
    if (number === undefined) return '?';
    sum += number;
  }
  return formatCount(sum);
}

function ageText(ages: readonly (number | undefined)[]): string {
  if (ages.some((age) => age === undefined)) return '?';
  const oldest = Math.max(0, ...(ages as readonly number[]));
  return oldest === 0 ? '-' : formatDuration(oldest);
}
