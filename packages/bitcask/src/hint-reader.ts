import { type Disk, type DiskFile, isErrno, readFully } from '@shanghai/env';
import { compareKeys } from './core/compare-keys.js';
import {
  createHintEntry,
  decodeHintHeader,
  type HintEntry,
  type HintHeader,
  hintBlockHeadBytes,
  hintBlockHolds,
  hintEntryBytes,
  hintHeaderBytes,
  readHintEntry,
} from './core/hint-codec.js';
import { keyLimitBytes } from './core/record.js';
import type { Segment } from './core/segment.js';
import { segmentHeaderBytes } from './core/segment-header.js';
import { hintName } from './core/segment-names.js';

/**
 * Reads the hint of a sealed segment entry by entry, in key order. Everything is checked on the way: what it has
 * handed on is right even if a later block turns out to be damaged, so the caller need not take anything back.
 */

/** The hint says something that cannot be, or ends early. The segment itself has to be read. */
export class HintInvalid extends Error {}

const windowBytes = 262_144;
const emptyBytes = new Uint8Array(0);

/** Walks one hint forward: `load` a block, `advance` through its entries. Throws `HintInvalid`. */
export class HintReader {
  readonly header: HintHeader;
  readonly entry: HintEntry = createHintEntry();
  readonly #file: DiskFile;
  readonly #seed: number;
  readonly #fileBytes: number;
  #window = emptyBytes;
  #view = new DataView(emptyBytes.buffer);
  /** File offset of the window's first byte, and how much of the window is filled. */
  #windowOffset = hintHeaderBytes;
  #filled = 0;
  /** Position in the window: the next entry, the end of its block's payload. */
  #at = 0;
  #blockEnd = 0;
  #left = 0;
  #seen = 0;
  #previousKey: Uint8Array | undefined;

  constructor(file: DiskFile, fileBytes: number, header: HintHeader, seed: number) {
    this.#file = file;
    this.#fileBytes = fileBytes;
    this.header = header;
    this.#seed = seed;
  }

  /** What the current entry's `keyStart` counts in; valid until the next `load`. */
  get bytes(): Uint8Array {
    return this.#window;
  }

  /** A view of the current entry's key; valid until the next `load`. */
  key(): Uint8Array {
    return this.#window.subarray(this.entry.keyStart, this.entry.keyStart + this.entry.keyBytes);
  }

  /** To the next entry of the loaded block; false where it is used up and `load` must be called. */
  advance(): boolean {
    if (this.#left === 0) return false;
    const behind = readHintEntry(this.#view, this.#at, this.#blockEnd, this.entry);
    if (behind < 0) throw new HintInvalid('an entry does not fit its block');
    this.#left--;
    this.#seen++;
    this.#at = behind;
    this.#checkEntry();
    if (this.#left === 0 && this.#at !== this.#blockEnd) throw new HintInvalid('a block is longer than its entries');
    return true;
  }

  /** Loads the next block; false at the end, when all entries were given. */
  async load(): Promise<boolean> {
    this.#previousKey = this.#seen === 0 ? undefined : this.key().slice();
    const offset = this.#windowOffset + this.#blockEnd;
    if (offset === this.#fileBytes) {
      if (this.#seen !== this.header.entries)
        throw new HintInvalid(`it holds ${this.#seen} of ${this.header.entries} entries`);
      return false;
    }
    if (this.#fileBytes - offset < hintBlockHeadBytes) throw new HintInvalid('it ends inside a block');
    await this.#have(offset, hintBlockHeadBytes);
    const start = offset - this.#windowOffset;
    const blockBytes = hintBlockHeadBytes + this.#view.getUint32(start, true);
    if (blockBytes > this.#fileBytes - offset) throw new HintInvalid('it ends inside a block');
    await this.#have(offset, blockBytes);
    this.#open(offset - this.#windowOffset, blockBytes, offset);
    return true;
  }

  /** A call of the disk that tells nothing: while it is waited for the event loop turns. */
  async breathe(): Promise<void> {
    await this.#file.size();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #open(start: number, blockBytes: number, offset: number): void {
    const end = start + blockBytes;
    if (!hintBlockHolds(this.#window, this.#view, start, end, this.#seed, offset))
      throw new HintInvalid(`the block at ${offset} is damaged`);
    this.#left = this.#view.getUint32(start + 4, true);
    if (this.#left < 1 || this.#left * hintEntryBytes > blockBytes)
      throw new HintInvalid(`the block at ${offset} holds ${this.#left} entries`);
    this.#at = start + hintBlockHeadBytes;
    this.#blockEnd = end;
  }

  #checkEntry(): void {
    const { entry, header } = this;
    if (
      entry.keyBytes > keyLimitBytes ||
      entry.offset < segmentHeaderBytes ||
      entry.offset + entry.recordBytes > header.dataBytes
    ) {
      throw new HintInvalid(`an entry points to ${entry.offset}, beyond the segment`);
    }
    if (entry.sequence < header.minSequence || entry.sequence > header.maxSequence)
      throw new HintInvalid(`sequence ${entry.sequence} is out of range`);
    // Order within a block is covered by its checksum; between blocks it shows that none was swapped or repeated.
    if (this.#previousKey === undefined) return;
    if (compareKeys(this.key(), this.#previousKey) <= 0) throw new HintInvalid('keys do not rise');
    this.#previousKey = undefined;
  }

  /** Makes `[offset, offset + bytes)` of the file lie in the window. */
  async #have(offset: number, bytes: number): Promise<void> {
    const start = offset - this.#windowOffset;
    if (start >= 0 && start + bytes <= this.#filled) return;
    const capacity = Math.max(bytes, Math.min(windowBytes, this.#fileBytes - offset));
    if (this.#window.length < capacity) {
      this.#window = new Uint8Array(capacity);
      this.#view = new DataView(this.#window.buffer);
    }
    this.#windowOffset = offset;
    this.#blockEnd = 0;
    this.#filled = await readFully(
      this.#file,
      this.#window.subarray(0, Math.min(this.#window.length, this.#fileBytes - offset)),
      offset,
    );
    if (this.#filled < bytes) throw new HintInvalid('it ends inside a block');
  }
}

/** Opens the hint of a sealed segment; `undefined` where there is none that belongs to it. The caller closes it. */
export async function openHint(disk: Disk, directory: string, segment: Segment): Promise<HintReader | undefined> {
  let file: DiskFile;
  try {
    file = await disk.open(`${directory}/${hintName(segment.fileId)}`, 'read');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const bytes = new Uint8Array(hintHeaderBytes);
    const decoded = decodeHintHeader(bytes.subarray(0, await readFully(file, bytes, 0)));
    const fits = decoded.kind === 'ok' && belongsTo(decoded.value, segment);
    if (fits) return new HintReader(file, await file.size(), decoded.value, segment.seed);
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}

function belongsTo(header: HintHeader, segment: Segment): boolean {
  return (
    header.segmentId === segment.segmentId && header.fileId === segment.fileId && header.dataBytes === segment.bytes
  );
}
