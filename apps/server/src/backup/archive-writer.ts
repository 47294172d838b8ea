/**
 * An archive as it grows. Whatever came in one pass is synced before the next; a crash in between leaves a block at the
 * end that does not check, which the next opening cuts off.
 */
import { type Disk, type DiskFile, ensureDirectory, replaceFile, writeFully } from '@shanghai/env';
import {
  type ArchiveFile,
  type ArchiveMark,
  archiveFileName,
  archiveFiles,
  archiveGroupDirectory,
  archiveMarkName,
  encodeArchiveMark,
  readArchiveMark,
} from './archive-directory.js';
import {
  archiveHeaderBytes,
  crcOfBlock,
  damagedArchive,
  encodeArchiveBlock,
  encodeArchiveHeader,
  logTimeOf,
  readArchiveBlocks,
  readArchiveHeader,
} from './archive-file.js';
import { BackupError } from './backup-error.js';
import type { GroupLogEntry } from './backup-parts.js';

/** A file that has reached this is left, and the next one begun. */
const maxFileBytes = 64 * 1024 * 1024;

interface OpenFile {
  readonly firstIndex: number;
  readonly file: DiskFile;
  at: number;
  seed: number;
  lastLogTimeMs: number;
  nextIndex: number;
}

/** Writes the entries of one cluster's groups. One writer at a time. */
export class ArchiveWriter {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #files = new Map<number, OpenFile>();
  #mark: ArchiveMark;
  readonly #release: () => Promise<void>;

  private constructor(disk: Disk, directory: string, mark: ArchiveMark, release: () => Promise<void>) {
    this.#mark = mark;
    this.#disk = disk;
    this.#directory = directory;
    this.#release = release;
  }

  /**
   * Opens an archive, making it where there is none, and takes its lock. Rejects with `BackupError` where it is another
   * cluster's (`INVALID_REQUEST`) or damaged, and with `LockError` where somebody writes it.
   */
  static async open(disk: Disk, directory: string, clusterId: string): Promise<ArchiveWriter> {
    await ensureDirectory(disk, directory);
    const lock = await disk.lockDirectory(directory, { description: 'shanghaictl' });
    try {
      const found = await readArchiveMark(disk, directory);
      const mark = found ?? { clusterId, ends: [] };
      if (found === undefined) await writeMark(disk, directory, mark);
      if (mark.clusterId === clusterId) return new ArchiveWriter(disk, directory, mark, () => lock.release());
      throw new BackupError(
        'INVALID_REQUEST',
        `'${directory}' is the archive of cluster ${mark.clusterId}, and this is ${clusterId}; name another directory`,
      );
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** The entry behind the last one of a group that is there; `undefined` where none is. */
  async nextIndex(groupId: number): Promise<number | undefined> {
    return (await this.#lastFile(groupId))?.nextIndex;
  }

  /** From now on a group's entries go on at `index`, whether there are any yet or not. */
  async beginAt(groupId: number, index: number): Promise<void> {
    const open = await this.#lastFile(groupId);
    if (open?.nextIndex !== index) await this.#begin(groupId, index, open);
  }

  /** Adds entries of a group. They follow what is there, or begin anew behind a gap. Durable after `sync`. */
  async append(groupId: number, entries: readonly GroupLogEntry[]): Promise<void> {
    const first = entries[0];
    if (first === undefined) return;
    let open = await this.#lastFile(groupId);
    if (open !== undefined && first.index < open.nextIndex) {
      throw new RangeError(`entry ${first.index} of group ${groupId} is there, up to ${open.nextIndex - 1}`);
    }
    if (open === undefined || open.nextIndex !== first.index || open.at >= maxFileBytes) {
      open = await this.#begin(groupId, first.index, open);
    }
    for (const entry of entries) open.lastLogTimeMs = Math.max(open.lastLogTimeMs, logTimeOf(entry) ?? 0);
    const block = encodeArchiveBlock(entries, open.lastLogTimeMs, open.seed);
    await writeFully(open.file, block, open.at);
    open.at += block.length;
    open.seed = crcOfBlock(block);
    open.nextIndex = first.index + entries.length;
  }

  /** Makes what was added durable. */
  async sync(): Promise<void> {
    const ends = new Map(this.#mark.ends.map((end) => [end.groupId, end]));
    let isChanged = false;
    for (const [groupId, { file, firstIndex, at: bytes }] of this.#files) {
      const known = ends.get(groupId);
      if (known?.firstIndex === firstIndex && known.bytes === bytes) continue;
      await file.sync();
      ends.set(groupId, { groupId, firstIndex, bytes });
      isChanged = true;
    }
    if (!isChanged) return;
    this.#mark = { ...this.#mark, ends: [...ends.values()] };
    await writeMark(this.#disk, this.#directory, this.#mark);
  }

  /** Syncs, closes, gives the lock back. */
  async close(): Promise<void> {
    try {
      await this.sync();
    } finally {
      for (const { file } of this.#files.values()) await file.close();
      this.#files.clear();
      await this.#release();
    }
  }

  async #lastFile(groupId: number): Promise<OpenFile | undefined> {
    const known = this.#files.get(groupId);
    if (known !== undefined) return known;
    const last = (await archiveFiles(this.#disk, this.#directory, groupId)).at(-1);
    if (last === undefined) return undefined;
    const open = await this.#reopen(groupId, last);
    this.#files.set(groupId, open);
    return open;
  }

  /** Finds the end of a file, and cuts off what a crash left behind it. */
  async #reopen(groupId: number, { path, firstIndex }: ArchiveFile): Promise<OpenFile> {
    const file = await this.#disk.open(path, 'write');
    try {
      const durable = this.#mark.ends.find((end) => end.groupId === groupId);
      if (durable !== undefined && durable.firstIndex > firstIndex) {
        throw damagedArchive(path, 0, `a file that begins at ${durable.firstIndex} should come behind it, and is gone`);
      }
      const least = durable?.firstIndex === firstIndex ? durable.bytes : 0;
      const isEmpty = (await file.size()) <= archiveHeaderBytes && least <= archiveHeaderBytes;
      if (isEmpty) return await this.#restart(file, groupId, firstIndex);
      const end = {
        firstIndex,
        at: archiveHeaderBytes,
        seed: await readArchiveHeader(file, groupId, firstIndex),
        lastLogTimeMs: 0,
        nextIndex: firstIndex,
      };
      for await (const block of readArchiveBlocks(this.#disk, path, groupId, firstIndex)) {
        end.at = block.end;
        end.seed = block.crc;
        end.lastLogTimeMs = block.lastLogTimeMs;
        end.nextIndex += block.entries.length;
      }
      if (end.at < least) throw damagedArchive(path, end.at, 'a block is damaged');
      if ((await file.size()) > end.at) await file.truncate(end.at);
      return { file, ...end };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** A file whose header a crash left half written. */
  async #restart(file: DiskFile, groupId: number, firstIndex: number): Promise<OpenFile> {
    await writeFully(file, encodeArchiveHeader(groupId, firstIndex), 0);
    const seed = await readArchiveHeader(file, groupId, firstIndex);
    return { file, firstIndex, at: archiveHeaderBytes, seed, lastLogTimeMs: 0, nextIndex: firstIndex };
  }

  async #begin(groupId: number, firstIndex: number, before: OpenFile | undefined): Promise<OpenFile> {
    await before?.file.sync();
    await before?.file.close();
    this.#files.delete(groupId);
    const directory = archiveGroupDirectory(this.#directory, groupId);
    await ensureDirectory(this.#disk, directory);
    const file = await this.#disk.open(`${directory}/${archiveFileName(firstIndex)}`, 'create');
    const open = await this.#restart(file, groupId, firstIndex);
    await file.sync();
    await this.#disk.syncDirectory(directory);
    this.#files.set(groupId, open);
    return open;
  }
}

function writeMark(disk: Disk, directory: string, mark: ArchiveMark): Promise<void> {
  return replaceFile(disk, `${directory}/${archiveMarkName}`, encodeArchiveMark(mark));
}
