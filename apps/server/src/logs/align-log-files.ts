/** What a start does where a group's state and the files of its named logs may disagree. */
import type { NodeListener } from '../node-events.js';
import type { Replica } from '../raft/replica.js';
import { isDamage } from './damaged-logs.js';
import type { LogFiles } from './log-files.js';
import { type LogPlace, streamPlace } from './log-place.js';

/**
 * With a write-ahead log that acknowledges before it syncs, a power failure may leave a log's files shorter or longer
 * than the state's counters: the log goes on behind what its files hold, so that no sequence is given out twice.
 */
export async function alignLogs(replica: Replica, files: LogFiles, listener: NodeListener): Promise<void> {
  for (const logId of replica.machine.logs.ids()) {
    const log = replica.machine.logs.get(logId);
    if (log === undefined) continue;
    const { lastSequence } = log;
    const held = await lastHeld(log, files);
    if (held === undefined || held === lastSequence) continue;
    await replica.machine.alignLog(logId, held);
    if (held < lastSequence) listener.logShortened?.({ logId, from: lastSequence, to: held });
  }
}

/** Likewise, the streams of an own group. */
export async function alignStreams(own: Replica, files: LogFiles, listener: NodeListener): Promise<void> {
  for (const stream of [...own.machine.streams.all()]) {
    const { firstSequence, lastSequence, logId } = stream;
    const held = firstSequence > lastSequence ? undefined : await lastHeld(streamPlace(stream), files);
    if (held === undefined || held === lastSequence) continue;
    await own.machine.alignStream(stream, held);
    if (held < lastSequence) listener.logShortened?.({ logId, from: lastSequence, to: held });
  }
}

/** Likewise `expectLogs`, for the streams of an own group. */
export async function expectStreams(own: Replica, files: LogFiles): Promise<void> {
  for (const stream of [...own.machine.streams.all()]) {
    const { firstSequence, lastSequence } = stream;
    await files.expect({ ...streamPlace(stream), firstSequence, lastSequence });
  }
}

/** The last sequence in a log's files; `undefined` where they are damaged, which is reported where it is found. */
async function lastHeld(log: LogPlace, files: LogFiles): Promise<number | undefined> {
  try {
    if ((await files.size(log)).segments === 0) return 0;
    return await files.use(log, async (file) => file.info().lastLsn);
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}

/** From here on a log's files must hold what the replayed state says; where nothing is synced, trims may be lost. */
export async function expectLogs(replica: Replica, files: LogFiles, isSynced: boolean): Promise<void> {
  for (const logId of replica.machine.logs.ids()) {
    const log = replica.machine.logs.get(logId);
    if (log === undefined) continue;
    const { origin, lastSequence } = log;
    const firstSequence = isSynced ? log.firstSequence : Number.MAX_SAFE_INTEGER;
    await files.expect({ logId, origin, firstSequence, lastSequence });
  }
}
