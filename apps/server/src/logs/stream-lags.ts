/** How far a consumer is behind the ends of a log's streams, as this node has them. */
import type { LogPosition } from '../apply/consumer-table.js';
import { isDamage } from './damaged-logs.js';
import { fileRecordTime } from './log-file-record.js';
import type { LogFiles } from './log-files.js';
import { streamPlace } from './log-place.js';
import type { LogDescription } from './log-requests.js';
import type { ConsumerLag } from './log-upkeep-requests.js';

/** One of each stream. */
export function streamLags(
  { logId, origins }: Pick<LogDescription, 'logId' | 'origins'>,
  positions: readonly LogPosition[],
  files: LogFiles,
  nowMs: number,
): Promise<ConsumerLag[]> {
  const lags = origins.map(async ({ origin, epoch, firstSequence, lastSequence }): Promise<ConsumerLag> => {
    const sequence = positions.find((each) => each.origin === origin && each.epoch === epoch)?.sequence ?? 0;
    const next = Math.max(sequence + 1, firstSequence);
    const entries = Math.max(0, lastSequence - next + 1);
    const lostEntries = Math.max(0, firstSequence - 1 - sequence);
    const stream = { logId, origin, epoch };
    const milliseconds = entries === 0 ? 0 : await ageOf(files, streamPlace(stream), next, nowMs);
    return { origin, epoch, entries, lostEntries, ...(milliseconds === undefined ? {} : { milliseconds }) };
  });
  return Promise.all(lags);
}

/** How long ago an entry was written, by its stamp; `undefined` where its files cannot say. */
async function ageOf(
  files: LogFiles,
  place: ReturnType<typeof streamPlace>,
  sequence: number,
  nowMs: number,
): Promise<number | undefined> {
  try {
    const entry = await files.use(place, (wal) => wal.read(sequence));
    return entry === undefined ? undefined : Math.max(0, nowMs - fileRecordTime(entry.payload));
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}
