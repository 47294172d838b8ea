import type { LogPosition } from '../apply/consumer-table.js';
import { isDamage } from './damaged-logs.js';
import { type KnownLog, placeOf } from './known-logs.js';
import { fileRecordTime } from './log-file-record.js';
import type { LogFiles } from './log-files.js';
import type { ConsumerLag } from './log-upkeep-requests.js';

/** How far a consumer with these positions is behind the end of a log that has one origin, as this node has it. */
export async function consumerLag(
  log: KnownLog,
  positions: readonly LogPosition[],
  files: LogFiles,
  nowMs: number,
): Promise<ConsumerLag> {
  const { logId, origin, epoch, firstSequence, lastSequence } = log.counters;
  const position = positions.find((each) => each.origin === origin && each.epoch === epoch);
  const next = (position?.sequence ?? 0) + 1;
  const hidden = log.replica.machine.logs.hidden.get(logId);
  const from = Math.max(next, firstSequence);
  const entries = Math.max(0, lastSequence - from + 1 - hidden.countIn(from, lastSequence));
  const lostEntries = Math.max(0, firstSequence - next);
  const milliseconds = entries === 0 ? 0 : await ageOf(log, hidden.nextVisible(from), files, nowMs);
  return { origin, epoch, entries, lostEntries, ...(milliseconds === undefined ? {} : { milliseconds }) };
}

/** How long an entry has been there; `undefined` where its files cannot say. */
async function ageOf(log: KnownLog, sequence: number, files: LogFiles, nowMs: number): Promise<number | undefined> {
  try {
    const entry = await files.use(placeOf(log), (wal) => wal.read(sequence));
    return entry === undefined ? undefined : Math.max(0, nowMs - fileRecordTime(entry.payload));
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}
