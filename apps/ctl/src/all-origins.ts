import type { LogEntry, LogPosition, LogReadOptions, NamedLogs } from '@shanghai/client';

const pageEntries = 1000;

/**
 * Entries of several streams of a log of mode multi-master, up to where each of them ends now. In the order of time also up
 * to where nothing earlier can come: what lies behind that is not there yet.
 */
export async function* allOriginsUpToNow(
  log: NamedLogs,
  name: string,
  options: LogReadOptions,
  limit: number,
): AsyncGenerator<LogEntry, void, undefined> {
  const { origins } = await log.describe(name, options.signal === undefined ? {} : { signal: options.signal });
  const ends = new Map(origins.map((origin) => [nameOf(origin), origin.lastSequence]));
  let left = limit;
  let place: LogReadOptions = options;
  while (left > 0) {
    const page = await log.read(name, { ...place, limit: Math.min(left, pageEntries) });
    for (const entry of page.entries) {
      // What is appended while pages are read is not chased.
      if (entry.sequence > (ends.get(nameOf(entry)) ?? 0)) continue;
      yield entry;
      left--;
    }
    const { positions = [] } = page;
    if (page.entries.length === 0 || hasPassed(positions, ends)) return;
    const { from: _, epoch: __, ...others } = options;
    place = { ...others, positions };
  }
}

function hasPassed(positions: readonly LogPosition[], ends: ReadonlyMap<string, number>): boolean {
  const reached = new Map(positions.map((position) => [nameOf(position), position.sequence]));
  return [...ends].every(([name, end]) => (reached.get(name) ?? 0) >= end);
}

function nameOf({ origin, epoch }: Pick<LogPosition, 'origin' | 'epoch'>): string {
  return `${origin}.${epoch}`;
}
