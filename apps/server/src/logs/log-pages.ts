/** Pages of a log that has one origin, out of its files. */
import { type Wal, WalError } from '@shanghai/wal';
import { ServerError } from '../requests/server-error.js';
import type { KnownLog } from './known-logs.js';
import { decodeFileRecord, fileRecordTime, isHiddenRecord } from './log-file-record.js';
import type { LogEntry, LogGap, LogPage, LogStart } from './log-requests.js';
import { packBlock } from './packed-entries.js';
import type { PageScratch } from './page-scratch.js';

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
        if (fileRecordTime(payload) >= start.timeMs) return lsn;
      }
      return lastLsn + 1;
    }
  }
}

/** What a page looks at beside what it gives, where compaction took much away. */
const maxLookedAt = 100_000;

/**
 * Entries from `from` on; what compaction took away is told in gaps, and a page may hold nothing else. Rejects with
 * `OUT_OF_RANGE` where they are not there any more, or not yet.
 */
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
  const { origin, epoch, logId } = log.counters;
  const hidden = log.replica.machine.logs.hidden.get(logId);
  const entries: LogEntry[] = [];
  const gaps = new Gaps(origin, epoch);
  let next = from;
  let bytes = 0;
  try {
    const to = Math.min(lastSequence + 1, from + (hidden.count === 0 ? limit : maxLookedAt));
    for await (const { lsn, payload } of wal.entries({ from, to })) {
      if (hidden.isHidden(lsn) || isHiddenRecord(payload)) gaps.add(lsn);
      else {
        bytes += payload.length;
        if (entries.length > 0 && (bytes > maxBytes || entries.length >= limit)) break;
        entries.push(decodeFileRecord(payload, origin, epoch, lsn));
      }
      next = lsn + 1;
    }
  } catch (error) {
    if (error instanceof WalError && error.code === 'LSN_TRIMMED') {
      throw outOfRange(log, from, firstReadable(log, wal), lastSequence);
    }
    throw error;
  }
  return { entries, nextSequence: next, firstSequence, lastSequence, gaps: gaps.found };
}

/** As `pageFrom`, packed; `undefined` where that cannot be, or there is nothing. */
export async function packedFrom(
  log: KnownLog,
  wal: Wal,
  from: number,
  limit: number,
  maxBytes: number,
  scratch?: PageScratch,
): Promise<LogPage | undefined> {
  const { counters, replica } = log;
  const firstSequence = firstReadable(log, wal);
  const lastSequence = wal.info().lastLsn;
  if (from < firstSequence || replica.machine.logs.hidden.get(counters.logId).count > 0) return undefined;
  try {
    const block = await wal.block({ from, to: Math.min(lastSequence + 1, from + limit), maxBytes, ...scratch?.free });
    scratch?.used(block?.bytes.length ?? 0);
    const packed = block === undefined ? undefined : packBlock(block, counters);
    if (packed === undefined) return undefined;
    return { entries: [], packed: [packed], nextSequence: from + packed.count, firstSequence, lastSequence, gaps: [] };
  } catch (error) {
    if (error instanceof WalError && error.code === 'LSN_TRIMMED') return undefined;
    throw error;
  }
}

function outOfRange(log: KnownLog, asked: number, firstSequence: number, lastSequence: number): ServerError {
  return new ServerError(
    'OUT_OF_RANGE',
    `log '${log.entry.name}' holds sequences ${firstSequence} to ${lastSequence}, asked for ${asked}`,
    { details: { firstSequence, lastSequence } },
  );
}

/** Sequence numbers that follow each other, put together. */
class Gaps {
  readonly #origin: number;
  readonly #epoch: number;
  #found: LogGap[] = [];

  constructor(origin: number, epoch: number) {
    this.#origin = origin;
    this.#epoch = epoch;
  }

  get found(): readonly LogGap[] {
    return this.#found;
  }

  add(sequence: number): void {
    const last = this.#found.at(-1);
    if (last !== undefined && last.lastSequence + 1 === sequence) {
      this.#found[this.#found.length - 1] = { ...last, lastSequence: sequence };
      return;
    }
    this.#found.push({ origin: this.#origin, epoch: this.#epoch, firstSequence: sequence, lastSequence: sequence });
  }
}
