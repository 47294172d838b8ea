/**
 * Everything of a store in one checked file; docs/formats/group-snapshot.md, "entries". What an engine without a
 * cheaper form puts into a snapshot.
 *
 *   header | block … | end block
 *
 * Blocks are checked before anything of them is believed, and the end says how many entries there were, so a file that
 * is cut or damaged anywhere is found.
 */
import { crc32, type Disk, type DiskFile, readFully, writeFully } from '@shanghai/env';
import { readU32, readU64, writeU32, writeU64 } from '../apply/byte-fields.js';
import { EngineError } from './engine-error.js';
import type { EngineEntry, EngineExport } from './storage-engine.js';

const magic = Buffer.from('SHENTRYS');
const version = 1;
const headerBytes = 32;
const blockHeadBytes = 12;
const entryHeadBytes = 24;
/** A block is written when it has reached this. */
const blockPayloadBytes = 262_144;

/** Writes an export into a new file, synced. Rejects with the signal's reason; then part of the file may be there. */
export async function writeEntriesFile(
  disk: Disk,
  path: string,
  { sequence, entries }: EngineExport,
  signal?: AbortSignal,
): Promise<void> {
  const file = await disk.open(path, 'create');
  try {
    await writeFully(file, encodeHeader(sequence), 0);
    const writer = new BlockWriter(file);
    for await (const entry of entries) {
      signal?.throwIfAborted();
      await writer.add(entry);
    }
    await writer.end();
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What `readEntriesFile` gives: a block's entries as views of one buffer, and the store's last operation. */
export interface EntriesBlock {
  readonly sequence: number;
  readonly entries: readonly EngineEntry[];
}

/** The blocks of such a file, the last one empty. Throws `CORRUPT` or `UNSUPPORTED_FORMAT`; a file of which all came is whole. */
export async function* readEntriesFile(disk: Disk, path: string): AsyncGenerator<EntriesBlock, void, undefined> {
  const file = await disk.open(path, 'read');
  try {
    const sequence = decodeHeader(path, await readAt(file, 0, headerBytes));
    const fileBytes = await file.size();
    let at = headerBytes;
    let total = 0;
    for (let block = 0; ; block++) {
      const head = await readAt(file, at, blockHeadBytes);
      const length = readU32(head, 0);
      const count = readU32(head, 4);
      at += blockHeadBytes;
      if (length > fileBytes - at) throw damaged(path, at);
      const payload = await readAt(file, at, length);
      if (crc32(payload, crc32(head, block, 0, 8)) !== readU32(head, 8)) throw damaged(path, at);
      at += length;
      if (length === 0) {
        if (count !== total % 2 ** 32 || at !== fileBytes) throw damaged(path, at);
        yield { sequence, entries: [] };
        return;
      }
      total += count;
      yield { sequence, entries: decodeEntries(path, payload, count) };
    }
  } finally {
    await file.close();
  }
}

/** Gathers entries and writes a block whenever there is enough for one. */
class BlockWriter {
  readonly #file: DiskFile;
  #at = headerBytes;
  #blocks = 0;
  #total = 0;
  #entries: EngineEntry[] = [];
  #bytes = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  async add(entry: EngineEntry): Promise<void> {
    this.#entries.push(entry);
    this.#bytes += entryHeadBytes + entry.key.length + entry.value.length;
    this.#total++;
    if (this.#bytes >= blockPayloadBytes) await this.#flush();
  }

  async end(): Promise<void> {
    if (this.#entries.length > 0) await this.#flush();
    await this.#write(Buffer.alloc(blockHeadBytes), this.#total % 2 ** 32);
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.allocUnsafe(blockHeadBytes + this.#bytes);
    let at = blockHeadBytes;
    for (const { key, value, sequence, expiresAtMs } of this.#entries) {
      writeU32(bytes, at, key.length);
      writeU32(bytes, at + 4, value.length);
      writeU64(bytes, at + 8, sequence);
      writeU64(bytes, at + 16, expiresAtMs);
      bytes.set(key, at + entryHeadBytes);
      bytes.set(value, at + entryHeadBytes + key.length);
      at += entryHeadBytes + key.length + value.length;
    }
    await this.#write(bytes, this.#entries.length);
    this.#entries = [];
    this.#bytes = 0;
  }

  async #write(bytes: Buffer, count: number): Promise<void> {
    writeU32(bytes, 0, bytes.length - blockHeadBytes);
    writeU32(bytes, 4, count);
    writeU32(bytes, 8, crc32(bytes, crc32(bytes, this.#blocks, 0, 8), blockHeadBytes, bytes.length));
    await writeFully(this.#file, bytes, this.#at);
    this.#at += bytes.length;
    this.#blocks++;
  }
}

function encodeHeader(sequence: number): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.set(magic);
  bytes.writeUInt16LE(version, 8);
  writeU64(bytes, 16, sequence);
  writeU32(bytes, 28, crc32(bytes, 0, 0, 28));
  return bytes;
}

function decodeHeader(path: string, bytes: Buffer): number {
  if (!bytes.subarray(0, 8).equals(magic) || readU32(bytes, 28) !== crc32(bytes, 0, 0, 28)) throw damaged(path, 0);
  if (bytes.readUInt16LE(8) !== version || readU32(bytes, 12) !== 0) {
    throw new EngineError('UNSUPPORTED_FORMAT', `'${path}' is of a newer version of this program; use that`);
  }
  return readU64(bytes, 16);
}

function decodeEntries(path: string, payload: Buffer, count: number): EngineEntry[] {
  const entries: EngineEntry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (payload.length - at < entryHeadBytes) throw damaged(path, at);
    const keyEnd = at + entryHeadBytes + readU32(payload, at);
    const end = keyEnd + readU32(payload, at + 4);
    if (end > payload.length) throw damaged(path, at);
    const sequence = readU64(payload, at + 8);
    const expiresAtMs = readU64(payload, at + 16);
    const key = payload.subarray(at + entryHeadBytes, keyEnd);
    entries.push({ key, value: payload.subarray(keyEnd, end), sequence, expiresAtMs });
    at = end;
  }
  if (at !== payload.length) throw damaged(path, at);
  return entries;
}

async function readAt(file: DiskFile, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  if ((await readFully(file, bytes, at)) < length) throw damaged(file.path, at);
  return bytes;
}

function damaged(path: string, at: number): EngineError {
  return new EngineError('CORRUPT', `'${path}' is damaged at ${at}; take the snapshot again`, {
    details: { file: path, offset: at },
  });
}
