/**
 * The id in the files of a named log says whose they are: a mark, then the cluster (its checksum), the log and the
 * origin, four bytes each, big-endian; files of streams have another mark, and a checksum of origin and epoch. Files without the mark, drawn at random, are from before, or were salvaged.
 */
import { crc32 } from '@shanghai/env';
import type { LogPlace } from './log-place.js';

const mark = '6c6f6773';
const streamMark = '73747273';

/** The id of a log's files in a cluster. */
export function fileLogId(clusterId: string, { logId, origin, streamEpoch }: LogPlace): string {
  const writer = streamEpoch === undefined ? origin : crc32(Buffer.from(`${origin}.${streamEpoch}`));
  const words = [crc32(Buffer.from(clusterId)), logId, writer];
  return (
    (streamEpoch === undefined ? mark : streamMark) + words.map((word) => word.toString(16).padStart(8, '0')).join('')
  );
}

/** Whether files with this id may be those of the log. */
export function isOwnLog(found: string, clusterId: string, place: LogPlace): boolean {
  const isMarked = found.startsWith(mark) || found.startsWith(streamMark);
  return !isMarked || found === fileLogId(clusterId, place);
}
