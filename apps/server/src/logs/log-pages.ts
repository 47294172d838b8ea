/** Pages of a log that has one origin, out of its files. */
import { type Wal, WalError } from '@shanghai/wal';
import { ServerError } from '../requests/server-error.js';
import type { KnownLog } from './known-logs.js';
import { decodeFileRecord } from './log-file-record.js';
import type { LogEntry, LogPage, LogStart } from './log-requests.js';

/** The first sequence that may be read, or would come next where there is none. */
export function firstReadable(log: KnownLog, wal: Wal): number {
  const { firstLsn } = wal.info();
  return Math.max(log.counters.firstSequence, firstLsn, 1);
}

/** The sequence number at which reading begins. */
export async function startSequence(start: LogStart, log: KnownLog, wal: Wal): Promise<number> {
  const first = firstReadable(log, wal);
  const { lastLsn } = wal.info();
  switch (start.from) {
    case 'sequence':
      return start.sequence === 0 ? first : start.sequence;
    case 'end':
      return lastLsn + 1;
    case 'last':
      return Math.max(first, lastLsn + 1 - start.entries);
    case 'time': {
      // Frames carry the log time of the run that wrote them: the first that is late enough may begin with earlier entries.
      const from = Math.max(first, await wal.lsnAtTime(start.timeMs));
      for await (const { lsn, payload } of wal.entries({ from })) {
        if (decodeFileRecord(payload, 0, 0, lsn).timeMs >= start.timeMs) return lsn;
      }
      return lastLsn + 1;
    }
  }
}

/** Entries from `from` on. Rejects with `OUT_OF_RANGE` where they are not there any more, or not yet. */
export async function pageFrom(
  log: KnownLog,
  wal: Wal,
  from: number,
  limit: number,
  maxBytes: number,
): Promise<LogPage> {
  const firstSequence = firstReadable(log, wal);
  const lastSequence = wal.info().lastLsn;
  if (from < firstSequence || from > lastSequence + 1) throw outOfRange(log, from, firstSequence, lastSequence);
  const entries: LogEntry[] = [];
  let bytes = 0;
  try {
    for await (const { lsn, payload } of wal.entries({ from, to: Math.min(lastSequence + 1, from + limit) })) {
      bytes += payload.length;
      if (entries.length > 0 && bytes > maxBytes) break;
      entries.push(decodeFileRecord(payload, log.entry.origin, log.counters.epoch, lsn));
    }
  } catch (error) {
    if (error instanceof WalError && error.code === 'LSN_TRIMMED') {
      throw outOfRange(log, from, firstReadable(log, wal), lastSequence);
    }
    throw error;
  }
  return { entries, nextSequence: from + entries.length, firstSequence, lastSequence, gaps: [] };
}

function outOfRange(log: KnownLog, asked: number, firstSequence: number, lastSequence: number): ServerError {
  return new ServerError(
    'OUT_OF_RANGE',
    `log '${log.entry.name}' holds sequences ${firstSequence} to ${lastSequence}, asked for ${asked}`,
    { details: { firstSequence, lastSequence } },
  );
}
