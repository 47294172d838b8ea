/**
 * Cuts a log at its first damage, keeping copies of everything it takes away.
 *
 * A crash in the middle leaves a log that is still refused, or already repaired, and the marker either way: copies
 * first, then the marker, then the later segments from the newest on, at last the damaged one.
 */
import { type Clock, type Disk, invariant, nodeClock, readFully, replaceFile, writeFully } from '@shanghai/env';
import { listLogFiles } from '../recovery/list-log-files.js';
import { openSegment } from '../recovery/open-segment.js';
import type { Lsn } from '../wal.js';
import { WalError } from '../wal-error.js';
import type { Damage } from '../wal-failures.js';
import { leaveRepairMarker } from './repair-marker.js';
import { walkLog } from './walk-log.js';
import type { WalkOptions } from './walk-options.js';
import { withLock } from './with-lock.js';

/** How to repair. */
export interface RepairOptions extends WalkOptions {
  readonly mode: 'truncate-tail';
  /** For the marker's time. Default: the Node form. */
  readonly clock?: Clock;
}

/** What a repair did. */
export interface RepairResult {
  /** False where nothing was damaged; then nothing was changed. */
  readonly changed: boolean;
  readonly damage: Damage | undefined;
  /** Names of the copies and of the segments set aside, in the log's directory. */
  readonly copies: readonly string[];
  /** Last LSN the log keeps. */
  readonly lastLsn: Lsn;
}

/**
 * Cuts the log at the first bad frame; everything behind it is lost to the log, and kept in copies. Use it where the
 * damage is at the end; where much lies behind it, salvage. Leaves `repaired.json`. Rejects with `LOCKED`, and with
 * `CORRUPT` where the first segment's header is damaged: no prefix can be kept then.
 */
export function repairWal(disk: Disk, directory: string, options: RepairOptions): Promise<RepairResult> {
  if (options.mode !== 'truncate-tail') throw new TypeError(`mode must be 'truncate-tail', got '${options.mode}'`);
  return withLock(disk, directory, 'wal repair', () => truncateTail(disk, directory, options));
}

async function truncateTail(disk: Disk, directory: string, options: RepairOptions): Promise<RepairResult> {
  const { clock = nodeClock() } = options;
  const { damage, lastLsn } = await firstDamage(disk, directory, options);
  if (damage === undefined) return { changed: false, damage, copies: [], lastLsn };
  const segments = (await listLogFiles(disk, directory)).segments.map(({ name }) => name);
  const keepsSegment = damage.offset > 0;
  const later = segments.slice(segments.indexOf(damage.segment) + (keepsSegment ? 1 : 0));
  if (later.length === segments.length) {
    const message = `the header of the first segment '${damage.segment}' is damaged, no prefix of the log can be kept; salvage it`;
    throw new WalError('CORRUPT', message, { details: { ...damage } });
  }
  const copies: string[] = [];
  if (keepsSegment) copies.push(await copyAside(disk, directory, damage.segment));
  await leaveRepairMarker(disk, directory, { mode: 'truncate-tail', time: isoTime(clock), lastLsn });
  for (const name of later.reverse()) {
    await disk.rename(`${directory}/${name}`, `${directory}/${name}.cut`);
    await disk.syncDirectory(directory);
    copies.push(`${name}.cut`);
  }
  if (keepsSegment) await cutSegment(disk, directory, damage.segment, damage.offset);
  return { changed: true, damage, copies, lastLsn };
}

async function firstDamage(
  disk: Disk,
  directory: string,
  options: WalkOptions,
): Promise<{ damage: Damage | undefined; lastLsn: Lsn }> {
  let lastLsn = 0;
  for await (const item of walkLog(disk, directory, options)) {
    if (item.kind === 'damage') {
      const { segment, offset, firstLsn, reason } = item;
      return { damage: { segment, offset, firstLsn, lastLsn: item.lastLsn, reason }, lastLsn };
    }
    if (item.kind === 'frame') lastLsn = Math.max(lastLsn, item.firstLsn + item.records.length - 1);
    if (item.kind === 'lost') lastLsn = item.lastLsn;
  }
  return { damage: undefined, lastLsn };
}

async function copyAside(disk: Disk, directory: string, name: string): Promise<string> {
  const file = await disk.open(`${directory}/${name}`, 'read');
  try {
    const bytes = new Uint8Array(await file.size());
    const read = await readFully(file, bytes, 0);
    invariant(read === bytes.length, `'${name}' became shorter while it was copied`);
    let copy = `${name}.damaged`;
    for (let i = 2; (await disk.stat(`${directory}/${copy}`)) !== undefined; i++) copy = `${name}.damaged-${i}`;
    await replaceFile(disk, `${directory}/${copy}`, bytes);
    return copy;
  } finally {
    await file.close();
  }
}

/** Zeroes a segment from `offset` to its end, and to the length its header promises: a sealed one was cut to its footer. */
async function cutSegment(disk: Disk, directory: string, name: string, offset: number): Promise<void> {
  const file = await disk.open(`${directory}/${name}`, 'write');
  try {
    const { header, fileBytes } = await openSegment(file, directory, name, Number.parseInt(name, 10));
    const end = Math.max(fileBytes, header.allocatedBytes);
    const zeros = new Uint8Array(Math.min(1_048_576, Math.max(0, end - offset)));
    for (let at = offset; at < end; at += zeros.length) {
      await writeFully(file, zeros.subarray(0, Math.min(zeros.length, end - at)), at);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

function isoTime(clock: Clock): string {
  return new Date(clock.nowMs()).toISOString();
}
