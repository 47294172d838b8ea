/**
 * Reads LevelDB's write-ahead logs before LevelDB does, and cuts them where they end to be whole.
 *
 * LevelDB skips what it cannot read in a log and goes on behind it. After a power failure that would leave a hole: a
 * later batch there, an earlier one lost, and no word of it. So the newest log is cut at its first unreadable record,
 * which leaves a prefix; anything unreadable that had been synced is damage, and refused. The format is LevelDB's own
 * (its `doc/log_format.md`): blocks of 32 KiB, records in fragments, each | crc32c u32 | length u16 | type u8 | bytes |.
 */
import { type Disk, type DiskFile, readFully } from '@shanghai/env';
import { maskedCrc32c } from './crc32c.js';
import { EngineError } from './engine-error.js';

const blockBytes = 32_768;
const headBytes = 7;
const fragment = { full: 1, first: 2, middle: 3, last: 4 } as const;

/** A log's name and how far it was synced when this was written down; what the last checkpoint covered. */
export interface LevelMark {
  readonly sequence: number;
  readonly log: string;
  readonly logBytes: number;
}

/** The logs of a LevelDB directory, oldest first. */
export async function levelLogs(disk: Disk, directory: string): Promise<string[]> {
  const names = (await disk.list(directory)).filter((name) => /^\d+\.log$/.test(name));
  return names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
}

/** Leaves logs that LevelDB reads to the end. Rejects with `CORRUPT` where something that was synced is not whole. */
export async function settleLevelLogs(disk: Disk, directory: string, mark: LevelMark | undefined): Promise<void> {
  const logs = [];
  for (const name of await levelLogs(disk, directory)) {
    const path = `${directory}/${name}`;
    const file = await disk.open(path, 'write');
    try {
      // What is judged now must be what a crash in a minute would leave.
      await file.sync();
      logs.push({ name, path, bytes: await file.size(), validEnd: await validEndOf(file) });
    } finally {
      await file.close();
    }
  }
  const newest = logs.findLast((log) => log.bytes > 0);
  for (const { name, path, bytes, validEnd } of logs) {
    const syncedEnd = mark?.log === name ? mark.logBytes : 0;
    // A log is synced as a whole before the next one is begun.
    const isTorn = name === newest?.name && validEnd >= syncedEnd;
    if (validEnd < syncedEnd || (validEnd < bytes && !isTorn)) throw damagedLog(path, validEnd, bytes);
    if (validEnd < bytes) await cut(disk, path, validEnd);
  }
}

async function cut(disk: Disk, path: string, end: number): Promise<void> {
  const file = await disk.open(path, 'write');
  try {
    await file.truncate(end);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Where the last whole record ends before the first one that is not. */
async function validEndOf(file: DiskFile): Promise<number> {
  const block = new Uint8Array(blockBytes);
  let validEnd = 0;
  let isInside = false;
  for (let start = 0; ; start += blockBytes) {
    const bytes = block.subarray(0, await readFully(file, block, start));
    const view = new DataView(bytes.buffer, 0, bytes.length);
    let at = 0;
    while (bytes.length - at >= headBytes) {
      const end = at + headBytes + view.getUint16(at + 4, true);
      const type = bytes[at + 6] as number;
      const continues: boolean = type === fragment.middle || type === fragment.last;
      if (type < fragment.full || type > fragment.last || continues !== isInside || end > bytes.length) return validEnd;
      if (view.getUint32(at, true) !== maskedCrc32c(bytes, at + 6, end)) return validEnd;
      isInside = type === fragment.first || type === fragment.middle;
      if (!isInside) validEnd = start + end;
      at = end;
    }
    if (bytes.length < blockBytes) return validEnd;
  }
}

function damagedLog(path: string, offset: number, bytes: number): EngineError {
  return new EngineError(
    'CORRUPT',
    `'${path}' is damaged at ${offset}, in bytes that had been synced; restore it from a replica or a backup`,
    { details: { file: path, offset, bytes: Math.max(0, bytes - offset) } },
  );
}
