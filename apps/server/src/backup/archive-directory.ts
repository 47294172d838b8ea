/** An archive as it is read: which files it has, and the entries of a group from one on. */
import { type Disk, readWholeFile } from '@shanghai/env';
import { listIfPresent } from '../logs/remove-tree.js';
import { type ArchiveBlock, archiveHeaderBytes, damagedArchive, readArchiveBlocks } from './archive-file.js';
import { BackupError } from './backup-error.js';

/** A file of a group, by its name. */
export interface ArchiveFile {
  readonly path: string;
  readonly firstIndex: number;
}

/** The file that says whose log an archive holds. */
export const archiveMarkName = 'archive.json';

const format = 1;
const maxMarkBytes = 65_536;
const namePattern = /^(\d{20})\.entries$/;

/** Where a group's files lie. */
export function archiveGroupDirectory(directory: string, groupId: number): string {
  return `${directory}/groups/${groupId}`;
}

/** The name of a file by its first entry. */
export function archiveFileName(firstIndex: number): string {
  return `${String(firstIndex).padStart(20, '0')}.entries`;
}

/** What `archive.json` holds. */
export interface ArchiveMark {
  readonly clusterId: string;
  /** How much of a group's last file is durable, at least: what does not check before that is damage, not a crash's. */
  readonly ends: readonly ArchiveEnd[];
}

/** Of a group's last file when it was synced last. */
export interface ArchiveEnd {
  readonly groupId: number;
  readonly firstIndex: number;
  readonly bytes: number;
}

/** The bytes of `archive.json`. */
export function encodeArchiveMark({ clusterId, ends }: ArchiveMark): Buffer {
  return Buffer.from(`${JSON.stringify({ format, clusterId, ends })}\n`);
}

/** Reads `archive.json`; `undefined` where there is no archive. */
export async function readArchiveMark(disk: Disk, directory: string): Promise<ArchiveMark | undefined> {
  const path = `${directory}/${archiveMarkName}`;
  const bytes = await readWholeFile(disk, path, maxMarkBytes);
  if (bytes === undefined) return undefined;
  const mark = parse(bytes);
  if (typeof mark?.['format'] === 'number' && mark['format'] > format) {
    throw new BackupError('UNSUPPORTED', `'${path}' has format ${mark['format']}; use a newer version`);
  }
  const { clusterId, ends } = mark ?? {};
  if (mark?.['format'] === format && typeof clusterId === 'string' && Array.isArray(ends) && ends.every(isEnd)) {
    return { clusterId, ends };
  }
  throw damagedArchive(path, 0, 'it cannot be read');
}

/** A group's files in the order of their entries. */
export async function archiveFiles(disk: Disk, directory: string, groupId: number): Promise<readonly ArchiveFile[]> {
  const inside = archiveGroupDirectory(directory, groupId);
  const files: ArchiveFile[] = [];
  for (const name of await listIfPresent(disk, inside)) {
    const digits = namePattern.exec(name)?.[1];
    if (digits !== undefined) files.push({ path: `${inside}/${name}`, firstIndex: Number(digits) });
  }
  return files;
}

/**
 * The blocks of a group from the one on that holds entry `fromIndex`. Throws `BackupError`: `OUT_OF_RANGE` where it comes to a
 * gap, or the archive begins later; `DATA_CORRUPTED`.
 */
export async function* readArchive(
  disk: Disk,
  directory: string,
  groupId: number,
  fromIndex: number,
): AsyncGenerator<ArchiveBlock, void, undefined> {
  const files = await archiveFiles(disk, directory, groupId);
  const durable = (await readArchiveMark(disk, directory))?.ends.find((end) => end.groupId === groupId);
  if (durable !== undefined && !files.some(({ firstIndex }) => firstIndex === durable.firstIndex)) {
    throw damagedArchive(
      archiveGroupDirectory(directory, groupId),
      0,
      `the file that begins at ${durable.firstIndex} is gone`,
    );
  }
  const begin = files.findLastIndex(({ firstIndex }) => firstIndex <= fromIndex);
  if (begin === -1) {
    if (files[0] === undefined) return;
    throw gapBefore(groupId, fromIndex, files[0].firstIndex);
  }
  let next = (files[begin] as ArchiveFile).firstIndex;
  for (let i = begin; i < files.length; i++) {
    const { path, firstIndex } = files[i] as ArchiveFile;
    if (firstIndex !== next) {
      if (firstIndex < next)
        throw damagedArchive(path, 0, `it begins at ${firstIndex}, the one before ends at ${next - 1}`);
      throw gapBefore(groupId, Math.max(next, fromIndex), firstIndex);
    }
    const isLast = i === files.length - 1;
    const bytes = (await disk.stat(path))?.bytes ?? 0;
    const least = !isLast ? bytes : durable?.firstIndex === firstIndex ? durable.bytes : 0;
    // A crash came before anything of it was durable.
    if (bytes <= archiveHeaderBytes && least <= archiveHeaderBytes) return;
    let end = archiveHeaderBytes;
    for await (const block of readArchiveBlocks(disk, path, groupId, firstIndex)) {
      next += block.entries.length;
      end = block.end;
      if (next > fromIndex) yield block;
    }
    if (end < least) throw damagedArchive(path, end, 'a block is damaged');
  }
}

function gapBefore(groupId: number, wanted: number, firstIndex: number): BackupError {
  return new BackupError(
    'OUT_OF_RANGE',
    `the archive has no entry ${wanted} of group ${groupId}, it goes on at ${firstIndex}; restore from a later backup, or to a point before`,
    { details: { groupId, wanted, firstIndex } },
  );
}

function parse(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString());
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isEnd(value: unknown): value is ArchiveEnd {
  if (typeof value !== 'object' || value === null) return false;
  const { groupId, firstIndex, bytes } = value as Partial<Record<keyof ArchiveEnd, unknown>>;
  return [groupId, firstIndex, bytes].every((number) => Number.isSafeInteger(number) && (number as number) >= 0);
}
