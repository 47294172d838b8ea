/**
 * Reads a log's directory from end to end without opening it as a log: goes on behind damage, changes nothing. What
 * verify, dump and salvage have in common.
 */
import type { Disk, DiskFile } from '@shanghai/env';
import { compressedFlag, emptiesFlag, footerFlag, lostFlag, replacesFlag } from '../core/frame.js';
import { judgeTail } from '../core/tail-verdict.js';
import type { FrameCursor } from '../read/frame-cursor.js';
import { selectRecords } from '../read/select-records.js';
import { listLogFiles } from '../recovery/list-log-files.js';
import { cursorOver, openSegment } from '../recovery/open-segment.js';
import type { Segment } from '../segment.js';
import type { Lsn, WalEntry } from '../wal.js';
import { WalError } from '../wal-error.js';
import type { Damage } from '../wal-failures.js';
import { WalkMeter, type WalkOptions } from './walk-options.js';

/**
 * One thing found in a log's directory, in order. `lost`: records that an earlier salvage could not read. `damage`:
 * bytes that should be there (LSNs inclusive; none where `lastLsn` < `firstLsn`, as when a footer is damaged). `tail`: where the log ends; `torn` says whether opening would cut bytes off there.
 */
export type WalItem =
  | {
      readonly kind: 'segment';
      readonly segment: string;
      readonly bytes: number;
      readonly logId: string;
      readonly createdMs: number;
    }
  | WalFrameItem
  | {
      readonly kind: 'lost';
      readonly segment: string;
      readonly offset: number;
      readonly firstLsn: Lsn;
      readonly lastLsn: Lsn;
    }
  | ({ readonly kind: 'damage' } & Damage & { readonly lastLsn: Lsn })
  | { readonly kind: 'tail'; readonly segment: string; readonly offset: number; readonly torn: boolean };

/** A sound frame. An empty one states a durable end, or is a segment's footer. */
export interface WalFrameItem {
  readonly kind: 'frame';
  readonly segment: string;
  readonly offset: number;
  readonly bytes: number;
  readonly firstLsn: Lsn;
  readonly wallTimeMs: number;
  readonly durableEnd: number;
  readonly footer: boolean;
  readonly compressed: boolean;
  /** The stream it replaces; `emptied`: its one record is a placeholder. */
  readonly replaces: { readonly stream: number; readonly emptied: boolean } | undefined;
  /** Also those that a later frame replaced. */
  readonly records: readonly WalEntry[];
}

/** Walks a log's directory. Rejects with `UNSUPPORTED_FORMAT`, and with errors of the disk. Nobody may write to it meanwhile. */
export async function* walkLog(
  disk: Disk,
  directory: string,
  options: WalkOptions = {},
): AsyncGenerator<WalItem, void, void> {
  const { segments } = await listLogFiles(disk, directory);
  const sizes = new Map<string, number>();
  for (const { name } of segments) sizes.set(name, (await disk.stat(`${directory}/${name}`))?.bytes ?? 0);
  const totalBytes = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  const meter = new WalkMeter(options, totalBytes);
  let expectedLsn = segments[0]?.baseLsn ?? 1;
  for (const [index, { name, baseLsn }] of segments.entries()) {
    if (baseLsn > expectedLsn) {
      const reason = 'no segment holds these records';
      yield { kind: 'damage', segment: name, offset: 0, firstLsn: expectedLsn, lastLsn: baseLsn - 1, reason };
    }
    const file = await disk.open(`${directory}/${name}`, 'read');
    try {
      const place = { directory, name, baseLsn, nextBaseLsn: segments[index + 1]?.baseLsn };
      expectedLsn = yield* walkSegment(file, place, meter);
      meter.finish(name, sizes.get(name) ?? 0);
    } finally {
      await file.close();
    }
  }
}

/** Walks one segment. Returns the LSN that the next one should begin with. */
async function* walkSegment(
  file: DiskFile,
  place: {
    readonly directory: string;
    readonly name: string;
    readonly baseLsn: Lsn;
    readonly nextBaseLsn: Lsn | undefined;
  },
  meter: WalkMeter,
): AsyncGenerator<WalItem, Lsn, void> {
  const { directory, name, baseLsn, nextBaseLsn } = place;
  const opened = await headerOrDamage(file, directory, name, baseLsn);
  if (opened.damage !== undefined) {
    const lastLsn = (nextBaseLsn ?? baseLsn) - 1;
    yield { kind: 'damage', segment: name, offset: 0, firstLsn: baseLsn, lastLsn, reason: opened.damage };
    return lastLsn + 1;
  }
  const { segment } = opened;
  const { logId, createdMs } = segment.header;
  yield { kind: 'segment', segment: name, bytes: segment.fileBytes, logId, createdMs };
  const cursor = cursorOver(file, segment);
  let lsn = baseLsn;
  for (let offset = segment.endOffset; ; ) {
    meter.reach(name, offset);
    const state = await cursor.load(offset);
    if (state === 'frame' && cursor.firstLsn === lsn) {
      const item = frameItem(cursor, name, offset);
      yield item;
      if (item.kind === 'frame' && item.footer) return lsn;
      lsn += cursor.count;
      offset += cursor.length;
      continue;
    }
    const end = await endOrDamage(cursor, segment, { offset, lsn, at: state, nextBaseLsn });
    yield end.item;
    if (end.resumeAt === undefined) return end.item.kind === 'damage' ? end.item.lastLsn + 1 : lsn;
    offset = end.resumeAt;
    lsn = end.item.lastLsn + 1;
  }
}

type Opened =
  | { readonly segment: Segment; readonly damage?: undefined }
  | { readonly segment?: undefined; readonly damage: string };

async function headerOrDamage(file: DiskFile, directory: string, name: string, baseLsn: Lsn): Promise<Opened> {
  try {
    return { segment: await openSegment(file, directory, name, baseLsn) };
  } catch (error) {
    if (!(error instanceof WalError && error.code === 'CORRUPT')) throw error;
    return { damage: String(error.details['reason']) };
  }
}

function frameItem(cursor: FrameCursor, segment: string, offset: number): WalItem {
  const { firstLsn, count, flags, wallTimeMs, durableEnd, length } = cursor;
  if ((flags & lostFlag) !== 0) return { kind: 'lost', segment, offset, firstLsn, lastLsn: firstLsn + count - 1 };
  const choice = { from: firstLsn, to: firstLsn + count, stream: undefined, replaced: undefined };
  const records = selectRecords(cursor, choice);
  const footer = (flags & footerFlag) !== 0;
  const compressed = (flags & compressedFlag) !== 0;
  const stream = (flags & replacesFlag) === 0 ? undefined : records[0]?.stream;
  const replaces = stream === undefined ? undefined : { stream, emptied: (flags & emptiesFlag) !== 0 };
  const place = { segment, offset, bytes: length, firstLsn, wallTimeMs, durableEnd };
  return { kind: 'frame', ...place, footer, compressed, replaces, records };
}

type DamageItem = Extract<WalItem, { kind: 'damage' }>;
type EndOrDamage =
  | { readonly item: DamageItem; readonly resumeAt: number }
  | { readonly item: WalItem; readonly resumeAt: undefined };

/** Judges a place where the next frame is missing or bad, and finds where reading goes on. */
async function endOrDamage(
  cursor: FrameCursor,
  segment: Segment,
  place: { offset: number; lsn: Lsn; at: 'end' | 'unwritten' | 'bad' | 'frame'; nextBaseLsn: Lsn | undefined },
): Promise<EndOrDamage> {
  const { offset, lsn, nextBaseLsn } = place;
  const { name, header, fileBytes } = segment;
  let resumeAt: number | undefined;
  let resumeLsn = lsn;
  let frames = 0;
  let highestDurableEnd = 0;
  for (let from = offset; ; ) {
    const found = await cursor.find(from, lsn);
    if (found === undefined) break;
    resumeAt ??= found;
    if (frames === 0) resumeLsn = cursor.firstLsn;
    frames++;
    highestDurableEnd = Math.max(highestDurableEnd, cursor.durableEnd);
    from = found + cursor.length;
  }
  const at = place.at === 'frame' ? 'bad' : place.at;
  const { allocatedBytes } = header;
  const verdict = judgeTail({ offset, at, framesBehind: frames, highestDurableEnd, fileBytes, allocatedBytes });
  const damage = { kind: 'damage', segment: name, offset, firstLsn: lsn } as const;
  if (nextBaseLsn === undefined) {
    if (verdict.kind !== 'corrupt') {
      return { item: { kind: 'tail', segment: name, offset, torn: verdict.kind === 'torn' }, resumeAt: undefined };
    }
    const { reason } = verdict;
    return resumeAt === undefined
      ? { item: { ...damage, lastLsn: lsn - 1, reason }, resumeAt }
      : { item: { ...damage, lastLsn: resumeLsn - 1, reason }, resumeAt };
  }
  const reason = 'the frame there does not match its checksum';
  if (resumeAt !== undefined) return { item: { ...damage, lastLsn: resumeLsn - 1, reason }, resumeAt };
  const item = { ...damage, lastLsn: nextBaseLsn - 1, reason: 'the segment ends before its successor begins' };
  return lsn === nextBaseLsn
    ? { item: { ...damage, lastLsn: lsn - 1, reason: 'its footer is damaged' }, resumeAt: undefined }
    : { item, resumeAt: undefined };
}
