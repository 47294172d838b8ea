import type { LogTailRequest } from '@shanghai/proto';
import type { LogPosition } from '../log-consumers.js';
import type { LogEntry, LogTailOptions } from '../named-logs.js';
import { logEntryOf, positionOf, scopeMessage, startMessage } from '../wire/log-wire.js';
import { toUint64 } from '../wire/wire-values.js';
import type { CallEnvironment } from './call-environment.js';
import { resumeStream } from './resumable-stream.js';

/**
 * Entries of several streams of a log of mode multi-master, and then what comes, over as many connections as it takes: each
 * goes on behind what was given of every stream. `from: 'end'` is the end as of the connection that gave the first page.
 */
export async function* tailStreams(
  environment: CallEnvironment,
  log: string,
  options: LogTailOptions,
): AsyncGenerator<LogEntry, void, undefined> {
  const places = new Map<string, LogPosition>();
  const reach = (place: LogPosition) => {
    const name = `${place.origin}.${place.epoch}`;
    if ((places.get(name)?.sequence ?? -1) < place.sequence) places.set(name, place);
  };
  for (const position of options.positions ?? []) reach(position);
  const pages = resumeStream(environment, {
    method: 'tailLog',
    servedBy: options.at ?? 'replica',
    endsByItself: false,
    reconnectMs: environment.options.streamReconnectMs,
    signal: options.signal,
    nextRequest: () => requestOf(log, options, [...places.values()]),
  });
  for await (const page of pages) {
    for (const message of page.entries) {
      const entry = logEntryOf(message);
      const { origin, epoch, sequence } = entry;
      // Set before the entry is given: whoever got it must not get it again.
      reach({ origin, epoch, sequence });
      yield entry;
    }
    for (const position of page.positions?.positions ?? []) reach(positionOf(position));
  }
}

function requestOf(log: string, options: LogTailOptions, positions: readonly LogPosition[]): LogTailRequest {
  const { from = 0, epoch, allOrigins, order } = options;
  const scope = scopeMessage({
    ...(allOrigins === undefined ? {} : { allOrigins }),
    ...(order === undefined ? {} : { order }),
    ...(epoch === undefined || positions.length > 0 ? {} : { epoch }),
    ...(positions.length === 0 ? {} : { positions }),
  });
  const start = from === 'end' ? ({ $case: 'fromEnd', value: true } as const) : startMessage(from);
  return { log, origin: toUint64(options.origin, 'origin'), start, ...scope };
}
