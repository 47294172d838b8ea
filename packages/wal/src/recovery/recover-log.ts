/**
 * Opens a log's directory (docs/formats/wal.md, section 6): earlier segments by their footers, the last one frame by
 * frame. What is found is either whole, or whole up to a tail that no one was told is safe, which is cut; or opening
 * fails and changes nothing.
 */
import type { Disk, DiskFile } from '@shanghai/env';
import { judgeTail } from '../core/tail-verdict.js';
import type { ResolvedWalOptions } from '../resolve-wal-options.js';
import type { Segment } from '../segment.js';
import type { TornTail } from '../wal.js';
import { corruptError } from '../wal-failures.js';
import { cutTornTail } from './cut-torn-tail.js';
import { type LogFiles, listLogFiles } from './list-log-files.js';
import { cursorOver, openSegment, readFooter } from './open-segment.js';
import { rewriteUncovered } from './rewrite-uncovered.js';
import { framesBehind, type ScanEnd, scanSegment } from './scan-segment.js';

/** Segments read at once. Node works on four calls at a time. */
const readAtOnce = 8;

/** A log as it was found. */
export interface RecoveredLog {
  /** Oldest first; empty for a new log. */
  readonly segments: Segment[];
  /** The last segment's file, open for writing, unless it is sealed. */
  readonly file: DiskFile | undefined;
  /** Names of files made ahead and left over. */
  readonly ahead: readonly string[];
  readonly tornTail: TornTail | undefined;
}

/** Reads a log's directory and repairs its tail. Rejects with `CORRUPT` or `UNSUPPORTED_FORMAT`; then nothing was changed. */
export async function recoverLog(options: ResolvedWalOptions): Promise<RecoveredLog> {
  const { disk, directory } = options;
  await disk.syncDirectory(directory);
  const files = await listLogFiles(disk, directory);
  const last = files.segments.at(-1);
  if (last === undefined) return { segments: [], file: undefined, ahead: files.ahead, tornTail: undefined };
  const segments = await openEarlier(disk, directory, files);
  const file = await disk.open(`${directory}/${last.name}`, 'write');
  try {
    // Bytes that exist in the page cache only must not decide what is kept.
    await file.sync();
    const segment = await openSegment(file, directory, last.name, last.baseLsn);
    checkFollows(segments.at(-1), segment);
    const tornTail = await recoverLast(disk, directory, file, segment);
    segments.push(segment);
    if (!segment.sealed) return { segments, file, ahead: files.ahead, tornTail };
    await file.truncate(segment.fileBytes);
    await file.close();
    return { segments, file: undefined, ahead: files.ahead, tornTail };
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

/** Segments that have a successor. Some are read at once: each takes a few calls, and calls wait for each other one by one. */
async function openEarlier(disk: Disk, directory: string, files: LogFiles): Promise<Segment[]> {
  const segments: Segment[] = [];
  const earlier = files.segments.slice(0, -1);
  for (let first = 0; first < earlier.length; first += readAtOnce) {
    const some = earlier.slice(first, first + readAtOnce).map((file, i) => {
      const nextLsn = (files.segments[first + i + 1] as LogFiles['segments'][number]).baseLsn;
      return openOneEarlier(disk, directory, file, nextLsn);
    });
    // All of them come to an end before the first failure is reported: none may hold a file open then.
    for (const outcome of await Promise.allSettled(some)) {
      if (outcome.status === 'rejected') throw outcome.reason;
      checkFollows(segments.at(-1), outcome.value);
      segments.push(outcome.value);
    }
  }
  return segments;
}

async function openOneEarlier(
  disk: Disk,
  directory: string,
  { name, baseLsn }: LogFiles['segments'][number],
  nextLsn: number,
): Promise<Segment> {
  const file = await disk.open(`${directory}/${name}`, 'read');
  try {
    const segment = await openSegment(file, directory, name, baseLsn);
    await readSealed(file, segment, nextLsn);
    return segment;
  } finally {
    await file.close();
  }
}

/** Reads a segment that has a successor: all of it was synced, so whatever is missing is damage. */
async function readSealed(file: DiskFile, segment: Segment, nextLsn: number): Promise<void> {
  if ((await readFooter(file, segment)) && segment.nextLsn === nextLsn) return;
  const cursor = cursorOver(file, segment);
  if (!segment.sealed) await scanSegment(cursor, segment);
  if (segment.nextLsn !== nextLsn) {
    throw corruptError({
      segment: segment.name,
      offset: segment.endOffset,
      firstLsn: Math.min(segment.nextLsn, nextLsn),
      lastLsn: Math.max(segment.nextLsn, nextLsn) - 1,
      reason: `its records end with LSN ${segment.lastLsn}, but the next segment begins with ${nextLsn}`,
    });
  }
  segment.sealed = true;
}

function checkFollows(previous: Segment | undefined, segment: Segment): void {
  if (previous === undefined || previous.header.logId === segment.header.logId) return;
  const { baseLsn, logId } = segment.header;
  const reason = `it is of log ${logId}, the one before it of log ${previous.header.logId}`;
  throw corruptError({ segment: segment.name, offset: 0, firstLsn: baseLsn, lastLsn: undefined, reason });
}

async function recoverLast(
  disk: Disk,
  directory: string,
  file: DiskFile,
  segment: Segment,
): Promise<TornTail | undefined> {
  const { fileBytes } = segment;
  const cursor = cursorOver(file, segment);
  const end = await scanSegment(cursor, segment);
  if (end === 'footer') {
    await rewriteUncovered(file, segment);
    return undefined;
  }
  const offset = segment.endOffset;
  const behind = await framesBehind(cursor, segment);
  const verdict = judgeTail({
    offset,
    at: end satisfies Exclude<ScanEnd, 'footer'>,
    framesBehind: behind.frames,
    highestDurableEnd: behind.highestDurableEnd,
    fileBytes,
    allocatedBytes: segment.header.allocatedBytes,
  });
  if (verdict.kind === 'corrupt') {
    const firstLsn = segment.nextLsn;
    const lastLsn = behind.firstLsn === undefined ? undefined : Math.max(firstLsn, behind.firstLsn - 1);
    throw corruptError({ segment: segment.name, offset, firstLsn, lastLsn, reason: verdict.reason });
  }
  const tornTail =
    verdict.kind === 'torn' ? await cutTornTail(disk, directory, { name: segment.name, file }, offset) : undefined;
  await rewriteUncovered(file, segment);
  return tornTail;
}
