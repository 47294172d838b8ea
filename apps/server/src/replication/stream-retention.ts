/**
 * Retention of multi-master logs: every node trims its own copies by the log's settings, and keeps what a member still lacks,
 * up to so many bytes of a stream. A member that lacks more than that goes on behind it, and its readers are told.
 *
 * The rows of a keyspace stand for the entries of its log. So of that nothing is kept but what a member still lacks, up to as
 * many bytes, and the file that is being written; a member that lacks more gets rows.
 */
import type { StreamId } from '@shanghai/replication';
import type { Wal } from '@shanghai/wal';
import { keyspaceOfLog } from '../apply/keyspace-log.js';
import type { LogFiles } from '../logs/log-files.js';
import type { LogSettings } from '../logs/log-requests.js';
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
    if (streamEpoch === undefined) continue;
    const expired = expiredOf(logId, logs.get(logId), parts.nowMs);
    if (expired === undefined) continue;
    const stream = { logId, origin, epoch: streamEpoch };
    try {
      await trimStream(parts, stream, expired);
    } catch (error) {
      parts.onFailed(logId, error);
    }
  }
}

/** The first sequence that a log's files are to keep, whoever lacks what; `undefined` where they are to keep all. */
function expiredOf(
  logId: number,
  settings: LogSettings | undefined,
  nowMs: number,
): ((wal: Wal) => Promise<number>) | undefined {
  if (keyspaceOfLog(logId) !== undefined) return async (wal) => firstWithin(wal, 0);
  if (settings === undefined) return undefined;
  const { retentionMs, retentionBytes, retentionEntries } = settings;
  const keepsAll = retentionMs === 0 && retentionBytes === 0 && retentionEntries === undefined;
  return keepsAll ? undefined : (wal) => expiredBefore(wal, settings, nowMs);
}

async function trimStream(
  { replica, files, heldByAll, maxLagBytes, onTrimmed }: StreamRetentionParts,
  stream: StreamId,
  expiredIn: (wal: Wal) => Promise<number>,
): Promise<void> {
  const { logId, origin, epoch } = stream;
  const [expired, tooMuch] = await files.use({ logId, origin, streamEpoch: epoch }, async (wal) => [
    await expiredIn(wal),
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
