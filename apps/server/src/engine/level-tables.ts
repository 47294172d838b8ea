/**
 * Checks LevelDB's tables before they are used. LevelDB does not check its blocks when it reads them, and the binding
 * has no option for it: a damaged key would show as a key that is absent. So every block of every table is read once
 * at the start, and its checksum compared. Format: LevelDB's `doc/table_format.md`.
 */
import { type Disk, type DiskFile, readFully } from '@shanghai/env';
import { maskedCrc32c } from './crc32c.js';
import { unsnappy } from './unsnappy.js';

const footerBytes = 48;
/** Behind each block: one byte for its form, four for its checksum. */
const trailerBytes = 5;
const magic = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
/** Neighbouring blocks are read together. */
const windowBytes = 1_048_576;
/** An index larger than this is none. */
const maxIndexBytes = 256 * 1024 * 1024;

interface Handle {
  readonly offset: number;
  readonly bytes: number;
}

/** The tables of a directory that are not whole. One that a crash left half written is none of LevelDB's, and among them. */
export async function damagedTables(disk: Disk, directory: string): Promise<string[]> {
  const damaged: string[] = [];
  for (const name of await disk.list(directory)) {
    if (!/^\d+\.(?:ldb|sst)$/.test(name)) continue;
    const file = await disk.open(`${directory}/${name}`, 'read');
    try {
      if (!(await isSound(file))) damaged.push(name);
    } finally {
      await file.close();
    }
  }
  return damaged;
}

/** The numbers of the tables in LevelDB's own list of them, the property `leveldb.sstables`. */
export function listedTables(property: string): Set<number> {
  return new Set([...property.matchAll(/^ (\d+):\d+\[/gm)].map((match) => Number(match[1])));
}

async function isSound(file: DiskFile): Promise<boolean> {
  const size = await file.size();
  if (size < footerBytes) return false;
  const footer = new Uint8Array(footerBytes);
  await readFully(file, footer, size - footerBytes);
  if (magic.some((byte, i) => footer[footerBytes - 8 + i] !== byte)) return false;
  const reader = new VarintReader(footer, footerBytes - 8);
  const [meta, index] = [reader.handle(), reader.handle()];
  if (meta === undefined || index === undefined) return false;
  const data = await indexedBlocks(file, index, size);
  // The filters, which say that a key is absent.
  const filters = await indexedBlocks(file, meta, size);
  if (data === undefined || filters === undefined) return false;
  return areSound(file, [...data, ...filters], size - footerBytes);
}

/** The blocks that an index block names; `undefined` where it is damaged. */
async function indexedBlocks(file: DiskFile, index: Handle, size: number): Promise<Handle[] | undefined> {
  if (index.bytes > maxIndexBytes || index.offset + index.bytes + trailerBytes > size) return undefined;
  const bytes = new Uint8Array(index.bytes + trailerBytes);
  await readFully(file, bytes, index.offset);
  if (!isBlockSound(bytes, 0, index.bytes)) return undefined;
  const stored = bytes.subarray(0, index.bytes);
  const content = bytes[index.bytes] === 0 ? stored : unsnappy(stored, maxIndexBytes);
  if (content === undefined || content.length < 4) return undefined;
  const restarts = new DataView(content.buffer, content.byteOffset).getUint32(content.length - 4, true);
  const reader = new VarintReader(content, content.length - 4 - 4 * restarts);
  const blocks: Handle[] = [];
  while (!reader.isAtEnd) {
    // Shared and own bytes of the key, bytes of the value; then the key, then the value, which is a handle.
    const [, ownBytes] = [reader.number(), reader.number(), reader.number()];
    reader.skip(ownBytes);
    const block = reader.handle();
    if (block === undefined) return undefined;
    blocks.push(block);
  }
  return blocks;
}

async function areSound(file: DiskFile, blocks: readonly Handle[], end: number): Promise<boolean> {
  let window = new Uint8Array(0);
  let start = 0;
  for (const { offset, bytes } of blocks) {
    const behind = offset + bytes + trailerBytes;
    if (behind > end) return false;
    if (offset < start || behind > start + window.length) {
      start = offset;
      window = new Uint8Array(Math.max(bytes + trailerBytes, Math.min(windowBytes, end - offset)));
      if ((await readFully(file, window, start)) < bytes + trailerBytes) return false;
    }
    if (!isBlockSound(window, offset - start, bytes)) return false;
  }
  return true;
}

function isBlockSound(bytes: Uint8Array, start: number, length: number): boolean {
  const end = start + length + 1;
  const stored = new DataView(bytes.buffer, bytes.byteOffset).getUint32(end, true);
  return stored === maskedCrc32c(bytes, start, end);
}

/** Varints one after the other; once something does not fit, everything is at its end and nothing a handle. */
class VarintReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at = 0;
  #failed = false;

  constructor(bytes: Uint8Array, end: number) {
    this.#bytes = bytes;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  number(): number {
    let value = 0;
    for (let scale = 1; this.#at < this.#end && scale < 2 ** 56; scale *= 128) {
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    this.#failed = true;
    this.#at = this.#end;
    return 0;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  handle(): Handle | undefined {
    const offset = this.number();
    const bytes = this.number();
    return this.#failed ? undefined : { offset, bytes };
  }
}
