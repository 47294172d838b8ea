/**
 * Retention of multi-master logs: every node trims its own copies by the log's settings, and keeps what a member still lacks,
 * up to so many bytes of a stream. A member that lacks more than that goes on behind it, and its readers are told.
 */
import type { StreamId } from '@shanghai/replication';
import type { Wal } from '@shanghai/wal';
import type { LogFiles } from '../logs/log-files.js';
import { expiredBefore } from '../logs/log-retention.js';
import type { Replica } from '../raft/replica.js';
import type { SystemGroup } from '../raft/system-group.js';

/** What retention works on. */
export interface StreamRetentionParts {
  readonly replica: Replica;
  readonly system: SystemGroup;
  readonly files: LogFiles;
  /** The last sequence of a stream that every member is known to hold. */
  readonly heldByAll: (stream: StreamId) => number;
  readonly maxLagBytes: number;
  readonly nowMs: number;
  readonly onTrimmed: (logId: number, firstSequence: number) => void;
  /** A stream where it fails keeps its entries. */
  readonly onFailed: (logId: number, error: unknown) => void;
}

/** One round, over the streams whose files are open: others get no entries. */
export async function trimStreams(parts: StreamRetentionParts): Promise<void> {
  const logs = new Map(parts.system.catalogue.logs().map((log) => [log.logId, log.settings]));
  for (const { logId, origin, streamEpoch } of parts.files.openPlaces()) {
    const settings = logs.get(logId);
    if (streamEpoch === undefined || settings === undefined) continue;
    const { retentionMs, retentionBytes, retentionEntries } = settings;
    if (retentionMs === 0 && retentionBytes === 0 && retentionEntries === undefined) continue;
    const stream = { logId, origin, epoch: streamEpoch };
    try {
      await trimStream(parts, stream, settings);
    } catch (error) {
      parts.onFailed(logId, error);
    }
  }
}

async function trimStream(
  { replica, files, heldByAll, maxLagBytes, nowMs, onTrimmed }: StreamRetentionParts,
  stream: StreamId,
  settings: Parameters<typeof expiredBefore>[1],
): Promise<void> {
  const { logId, origin, epoch } = stream;
  const [expired, tooMuch] = await files.use({ logId, origin, streamEpoch: epoch }, async (wal) => [
    await expiredBefore(wal, settings, nowMs),
    firstWithin(wal, maxLagBytes),
  ]);
  const firstSequence = Math.min(expired as number, Math.max(heldByAll(stream) + 1, tooMuch as number));
  const known = replica.machine.streams.get(stream);
  if (known === undefined || firstSequence <= known.firstSequence) return;
  await replica.propose({ kind: 'originTrim', stream, firstSequence });
  onTrimmed(logId, firstSequence);
}

/** The first sequence from which on whole segments hold at most so many bytes. */
function firstWithin(wal: Wal, bytes: number): number {
  const { firstLsn } = wal.info();
  let left = wal.info().bytes;
  let first = firstLsn;
  for (const segment of wal.pins().slice(0, -1)) {
    if (left <= bytes) break;
    left -= segment.bytes;
    first = segment.lastLsn + 1;
  }
  return first;
}
