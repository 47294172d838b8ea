/** Where the files of a log, or of a stream, lie, and what they must hold. */
import type { StreamId } from '@shanghai/replication';

/** A log's files. */
export interface LogPlace {
  readonly logId: number;
  readonly origin: number;
  /** Of a stream. Absent in mode quorum. */
  readonly streamEpoch?: number;
}

/** What a log's files must hold: nothing behind `firstSequence` is missing, nor anything up to `lastSequence`. */
export interface ExpectedLog {
  firstSequence: number;
  lastSequence: number;
}

/** The name of a log's files, unlike that of any other's. */
export function nameOf({ logId, origin, streamEpoch }: LogPlace): string {
  return streamEpoch === undefined ? `${logId}/${origin}` : `${logId}/${origin}.${streamEpoch}`;
}

/** A place without what else it has. */
export function placeOf({ logId, origin, streamEpoch }: LogPlace): LogPlace {
  return streamEpoch === undefined ? { logId, origin } : { logId, origin, streamEpoch };
}

/** Of a stream all that came may have been skipped or trimmed; then the files need hold nothing. */
export function isUnread({ streamEpoch }: LogPlace, { firstSequence, lastSequence }: Readonly<ExpectedLog>): boolean {
  return streamEpoch !== undefined && firstSequence !== Number.MAX_SAFE_INTEGER && firstSequence > lastSequence;
}

/** Where the files of a stream lie. */
export function streamPlace({ logId, origin, epoch }: StreamId): LogPlace {
  return { logId, origin, streamEpoch: epoch };
}
