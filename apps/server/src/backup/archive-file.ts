/**
 * A file of an archive (docs/formats/backup.md, section 3): committed entries of one group, without a gap.
 *
 *   header | block … |
 *
 * Each block is seeded with the checksum of what stands before it, so none can be taken for one of another place. What a
 * crash leaves at the end is a block that does not check; whether that is allowed is for the caller to say.
 */
import { crc32, type Disk, type DiskFile, readFully } from '@shanghai/env';
import { readU16, readU32, readU64, writeU16, writeU32, writeU64 } from '../apply/byte-fields.js';
import { BackupError } from './backup-error.js';
import type { GroupLogEntry } from './backup-parts.js';

/** Bytes of a file before its first block. */
export const archiveHeaderBytes = 64;

const magic = Buffer.from('SHARCHIV');
const version = 1;
const blockHeadBytes = 32;
const entryHeadBytes = 16;
/** More than any block has: a page of the log, or one entry. */
const maxBlockBytes = 1024 * 1024 * 1024;

/** Entries that were written together. */
export interface ArchiveBlock {
  readonly entries: readonly GroupLogEntry[];
  /** Of the last command up to the end of the block; 0 = there was none in the file. */
  readonly lastLogTimeMs: number;
  /** Seeds the next block. */
  readonly crc: number;
  /** Where the next block begins. */
  readonly end: number;
}

/** Log time of an entry; `undefined` where it carries none. */
export function logTimeOf({ type, data }: GroupLogEntry): number | undefined {
  return type === 0 && data.length >= 16 ? readU64(data, 8) : undefined;
}

/** The header of a group's file. Its last four bytes seed the first block. */
export function encodeArchiveHeader(groupId: number, firstIndex: number): Uint8Array {
  const bytes = new Uint8Array(archiveHeaderBytes);
  bytes.set(magic);
  writeU16(bytes, 8, version);
  writeU32(bytes, 12, groupId);
  writeU64(bytes, 16, firstIndex);
  writeU32(bytes, 60, crc32(bytes, 0, 0, 60));
  return bytes;
}

/** A block behind what is seeded with `seed`. */
export function encodeArchiveBlock(entries: readonly GroupLogEntry[], lastLogTimeMs: number, seed: number): Uint8Array {
  const length = entries.reduce((sum, { data }) => sum + entryHeadBytes + data.length, 0);
  const bytes = new Uint8Array(blockHeadBytes + length);
  writeU32(bytes, 0, length);
  writeU32(bytes, 4, entries.length);
  writeU64(bytes, 8, entries[0]?.index ?? 0);
  writeU64(bytes, 16, lastLogTimeMs);
  let at = blockHeadBytes;
  for (const { data, type, term } of entries) {
    writeU32(bytes, at, data.length);
    bytes[at + 4] = type;
    writeU64(bytes, at + 8, term);
    bytes.set(data, at + entryHeadBytes);
    at += entryHeadBytes + data.length;
  }
  writeU32(bytes, 24, crc32(bytes, crc32(bytes, seed, 0, 24), blockHeadBytes, bytes.length));
  return bytes;
}

/** The checksum that seeds what comes behind a block. */
export function crcOfBlock(block: Uint8Array): number {
  return readU32(block, 24);
}

/** The checksum that seeds a file's first block. Throws where the header is not this group's. */
export async function readArchiveHeader(file: DiskFile, groupId: number, firstIndex: number): Promise<number> {
  const bytes = new Uint8Array(archiveHeaderBytes);
  const isThere = (await readFully(file, bytes, 0)) === bytes.length;
  if (!isThere || !Buffer.from(bytes.subarray(0, 8)).equals(magic) || readU32(bytes, 60) !== crc32(bytes, 0, 0, 60)) {
    throw damagedArchive(file.path, 0, 'its header is damaged');
  }
  if (readU16(bytes, 8) !== version) {
    throw new BackupError('UNSUPPORTED', `'${file.path}' is of a newer version of this program; use that`);
  }
  if (readU32(bytes, 12) !== groupId || numberAt(file.path, bytes, 16) !== firstIndex) {
    throw damagedArchive(file.path, 0, 'it is not what its name says');
  }
  return readU32(bytes, 60);
}

/** The blocks of a file; stops in front of one that is cut short or does not check, where `at` of the last one is not the file's end. */
export async function* readArchiveBlocks(
  disk: Disk,
  path: string,
  groupId: number,
  firstIndex: number,
): AsyncGenerator<ArchiveBlock, void, undefined> {
  const file = await disk.open(path, 'read');
  try {
    let seed = await readArchiveHeader(file, groupId, firstIndex);
    const size = await file.size();
    let index = firstIndex;
    for (let at = archiveHeaderBytes; ; ) {
      const block = await readBlock(file, at, size, seed, index);
      if (block === undefined) return;
      yield block;
      seed = block.crc;
      at = block.end;
      index += block.entries.length;
    }
  } finally {
    await file.close();
  }
}

/** What is wrong with an archive, and where. */
export function damagedArchive(path: string, at: number, what: string): BackupError {
  return new BackupError('DATA_CORRUPTED', `'${path}' at ${at}: ${what}; use another copy of the archive`, {
    details: { file: path, offset: at },
  });
}

async function readBlock(
  file: DiskFile,
  at: number,
  size: number,
  seed: number,
  index: number,
): Promise<ArchiveBlock | undefined> {
  const head = new Uint8Array(blockHeadBytes);
  if ((await readFully(file, head, at)) < head.length) return undefined;
  const length = readU32(head, 0);
  if (length > size - at - blockHeadBytes || length > maxBlockBytes) return undefined;
  const payload = new Uint8Array(length);
  if ((await readFully(file, payload, at + blockHeadBytes)) < length) return undefined;
  const crc = crc32(payload, crc32(head, seed, 0, 24));
  if (crc !== readU32(head, 24) || readU32(head, 28) !== 0 || numberAt(file.path, head, 8) !== index) return undefined;
  const entries = decodeEntries(file.path, payload, index, readU32(head, 4));
  return { entries, lastLogTimeMs: numberAt(file.path, head, 16), crc, end: at + blockHeadBytes + length };
}

/** A number of 2^53 or more was never written. */
function numberAt(path: string, bytes: Uint8Array, at: number): number {
  try {
    return readU64(bytes, at);
  } catch {
    throw damagedArchive(path, at, 'a number is none that was written');
  }
}

function decodeEntries(path: string, payload: Uint8Array, firstIndex: number, count: number): GroupLogEntry[] {
  const entries: GroupLogEntry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const isThere =
      payload.length - at >= entryHeadBytes && readU32(payload, at) <= payload.length - at - entryHeadBytes;
    if (!isThere) throw damagedArchive(path, at, 'a block says other than it holds');
    const end = at + entryHeadBytes + readU32(payload, at);
    const data = payload.subarray(at + entryHeadBytes, end);
    entries.push({
      index: firstIndex + i,
      type: payload[at + 4] as number,
      term: numberAt(path, payload, at + 8),
      data,
    });
    at = end;
  }
  if (count === 0 || at !== payload.length) throw damagedArchive(path, at, 'a block says other than it holds');
  return entries;
}
