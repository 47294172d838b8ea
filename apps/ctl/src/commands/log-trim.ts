/** log trim. */
import type { Action } from '../command-host.js';
import type { KeptRange, TrimTarget } from '../connection.js';
import { usageError } from '../ctl-error.js';
import { time } from '../flag-values.js';
import { formatTime } from '../output/quantities.js';
import { placeOf, positionsText } from './log-positions.js';

/** `log trim <name> [first]` */
export const trimLog: Action = async (context, values, flags) => {
  const [log, first] = values as [string, string | undefined];
  const to = targetOf(first, time(flags, 'before'));
  const what =
    typeof to === 'number'
      ? `before ${to}`
      : 'beforeMs' in to
        ? `older than ${formatTime(to.beforeMs)}`
        : `up to ${positionsText(to.positions)}`;
  await context.confirm(`All entries of log '${log}' ${what} will be given up.`);
  const force = flags['force'] === true;
  const kept = await (await context.connect()).logs.trim(log, to, force);
  const { origins, ...range } = kept;
  const rows =
    origins === undefined
      ? [['kept', rangeText(range)] as const]
      : origins.map((one) => [`kept of ${one.origin}.${one.epoch}`, rangeText(one)] as const);
  await context.print.document({ log, ...(origins === undefined ? range : { origins }) }, rows);
};

function targetOf(first: string | undefined, beforeMs: number | undefined): TrimTarget {
  if ((first === undefined) === (beforeMs === undefined)) {
    throw usageError('name the first entry to keep, or a time with --before');
  }
  if (beforeMs !== undefined) return { beforeMs };
  const place = placeOf(first as string);
  if (typeof place === 'number') return place;
  const positions = place.map((position) => {
    if (position.sequence < 1) throw usageError(`entry 0 of origin ${position.origin} is none that is kept`);
    return { ...position, sequence: position.sequence - 1 };
  });
  return { positions };
}

function rangeText({ firstSequence, lastSequence }: Omit<KeptRange, 'origins'>): string {
  return lastSequence < firstSequence ? 'nothing' : `${firstSequence} to ${lastSequence}`;
}
