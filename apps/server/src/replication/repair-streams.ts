/**
 * Copies of streams whose files are damaged here, when the node begins: others hold the same entries, so the copy is given
 * up, and comes anew as what a node never had. Of a stream that this node still writes only after it has begun another
 * epoch, for nobody can say whether others have all of it.
 */
import type { StreamId } from '@shanghai/replication';
import { isDamage } from '../logs/damaged-logs.js';
import type { LogFiles } from '../logs/log-files.js';
import { streamPlace } from '../logs/log-place.js';
import type { Replica } from '../raft/replica.js';

/** What it works on. */
export interface StreamRepairParts {
  readonly replica: Replica;
  readonly files: LogFiles;
  /** Whether others hold the log's entries as this node does. */
  readonly isElsewhere: (logId: number) => boolean;
  readonly beginEpoch: () => Promise<unknown>;
}

/** Resolves to the streams that were given up. Those that cannot be now stay refused. */
export async function repairStreams(parts: StreamRepairParts): Promise<readonly StreamId[]> {
  const { replica, files, isElsewhere, beginEpoch } = parts;
  const { streams } = replica.machine;
  const given: StreamId[] = [];
  for (const { logId, origin, epoch, firstSequence, lastSequence } of [...streams.all()]) {
    const stream = { logId, origin, epoch };
    if (firstSequence > lastSequence || !isElsewhere(logId) || !(await isDamaged(files, stream))) continue;
    if (origin === streams.own.origin && epoch === streams.own.epoch) await beginEpoch();
    await files.discard(streamPlace(stream), () => replica.propose({ kind: 'originForget', stream }));
    given.push(stream);
  }
  return given;
}

/** Opens its files, where they are not open already. */
async function isDamaged(files: LogFiles, stream: StreamId): Promise<boolean> {
  try {
    await files.check(streamPlace(stream));
    return false;
  } catch (error) {
    if (isDamage(error)) return true;
    throw error;
  }
}
