import { type AppendFile, createAppendFile, type Disk, type DiskFile } from '@shanghai/env';
import type { PageSink } from './core/keydir/packed-tree.js';
import { type Chunk, createChunk } from './core/keydir/page-pool.js';
import type { KeydirPosition } from './core/keydir.js';
import {
  blockHeadBytes,
  blockKinds,
  blockSeed,
  type CoveredSegment,
  coveredSegmentBytes,
  encodeSnapshotHeader,
  endPayloadBytes,
  type SnapshotEnd,
  type SnapshotHeader,
  sealBlock,
  widePositionBytes,
  writeCoveredSegment,
  writeSnapshotEnd,
  writeWidePosition,
} from './core/keydir-snapshot-codec.js';
import { keydirName } from './core/segment-names.js';

/** Pages of a block: one megabyte is read or written by one call, and its checksum takes a quarter of a millisecond. */
const pagesPerBlock = 256;
/** A block of long keys or wide positions is closed when it reaches this. */
const sidePayloadBytes = 262_144;
const segmentsPerBlock = 4_096;

/** Blocks that are filled and wait to be written, with the count their heads get. */
interface FilledBlock {
  readonly kind: number;
  readonly count: number;
  readonly payloadBytes: number;
  readonly chunk: Chunk;
}

/**
 * Writes a snapshot of the key directory to a temporary file and puts it into place. It is the sink of a packed tree: pages and
 * what belongs to them are gathered in blocks while keys are added, and `flush` writes those that are full. Between two
 * calls of `flush` a caller may add keys of some 256 KiB; so the memory held is a few blocks.
 */
export class KeydirSnapshotWriter implements PageSink {
  readonly pageBytes: number;
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #append: AppendFile;
  readonly #snapshotId: number;
  readonly #filled: FilledBlock[] = [];
  /** Page blocks that were written and may be filled again. */
  readonly #spare: Chunk[] = [];
  #blocks = 0;
  #pages = 0;
  #chunk: Chunk;
  #pagesInChunk = 0;
  #longKeys: Uint8Array[] = [];
  #longKeyBytes = 0;
  #longKeyCount = 0;
  #wide: KeydirPosition[] = [];
  #wideCount = 0;

  private constructor(disk: Disk, directory: string, file: DiskFile, header: SnapshotHeader) {
    this.#disk = disk;
    this.#directory = directory;
    this.#append = createAppendFile(file, 0);
    this.#snapshotId = header.snapshotId;
    this.pageBytes = header.pageBytes;
    this.#chunk = this.#pageChunk();
  }

  /** Begins the file with its header and the segments it covers. */
  static async create(
    disk: Disk,
    directory: string,
    header: Omit<SnapshotHeader, 'segments'>,
    segments: readonly CoveredSegment[],
  ): Promise<KeydirSnapshotWriter> {
    const temporary = `${directory}/${keydirName}.tmp`;
    if ((await disk.stat(temporary)) !== undefined) await disk.remove(temporary);
    const whole = { ...header, segments: segments.length };
    const writer = new KeydirSnapshotWriter(disk, directory, await disk.open(temporary, 'create'), whole);
    try {
      await writer.#append.append(encodeSnapshotHeader(whole));
      for (let from = 0; from < segments.length; from += segmentsPerBlock) {
        writer.#fillSegments(segments.slice(from, from + segmentsPerBlock));
        await writer.flush();
      }
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    return writer;
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#append.end;
  }

  take(): number {
    if (this.#pagesInChunk === pagesPerBlock) this.#fillPages();
    this.#pagesInChunk += 1;
    return this.#pages++;
  }

  get chunk(): Chunk {
    return this.#chunk;
  }

  get base(): number {
    return blockHeadBytes + (this.#pagesInChunk - 1) * this.pageBytes;
  }

  readonly longKeys = {
    add: (key: Uint8Array): number => {
      if (this.#longKeys.length > 0 && this.#longKeyBytes + 4 + key.length > sidePayloadBytes) this.#fillLongKeys();
      this.#longKeys.push(key);
      this.#longKeyBytes += 4 + key.length;
      return this.#longKeyCount++;
    },
  };

  readonly wide = {
    add: (position: KeydirPosition): number => {
      if ((this.#wide.length + 1) * widePositionBytes > sidePayloadBytes) this.#fillWide();
      this.#wide.push(position);
      return this.#wideCount++;
    },
  };

  /** Writes the blocks that are full; returns how many bytes that were. */
  async flush(): Promise<number> {
    const before = this.#append.end;
    for (const block of this.#filled.splice(0)) {
      const { chunk, kind, count, payloadBytes } = block;
      sealBlock(chunk.bytes, chunk.view, { kind, count, payloadBytes }, blockSeed(this.#snapshotId, this.#blocks++));
      await this.#append.append(chunk.bytes.subarray(0, blockHeadBytes + payloadBytes));
      if (kind === blockKinds.pages) this.#spare.push(chunk);
    }
    return this.#append.end - before;
  }

  /** Makes durable what was written so far: many small syncs hold up others less than one large one. */
  sync(): Promise<void> {
    return this.#append.sync();
  }

  /** A call of the disk that tells nothing: while it is waited for the event loop turns. */
  async breathe(): Promise<void> {
    await this.#append.file.size();
  }

  /** Completes the file and puts it into place, durably. */
  async finish(end: Pick<SnapshotEnd, 'root' | 'keys' | 'keysByFirstByte'>): Promise<void> {
    if (this.#pagesInChunk > 0) this.#fillPages();
    if (this.#longKeys.length > 0) this.#fillLongKeys();
    if (this.#wide.length > 0) this.#fillWide();
    const chunk = createChunk(blockHeadBytes + endPayloadBytes);
    const totals = { pages: this.#pages, longKeys: this.#longKeyCount, widePositions: this.#wideCount };
    writeSnapshotEnd(chunk.view, blockHeadBytes, { ...totals, ...end });
    this.#filled.push({ kind: blockKinds.end, count: 1, payloadBytes: endPayloadBytes, chunk });
    await this.flush();
    await this.#append.sync();
    await this.#append.close();
    const path = `${this.#directory}/${keydirName}`;
    await this.#disk.rename(`${path}.tmp`, path);
    await this.#disk.syncDirectory(this.#directory);
  }

  /** Leaves no temporary file behind, as far as the disk allows. */
  async abandon(): Promise<void> {
    await this.#append.close().catch(() => undefined);
    await this.#disk.remove(`${this.#directory}/${keydirName}.tmp`).catch(() => undefined);
  }

  #pageChunk(): Chunk {
    return this.#spare.pop() ?? createChunk(blockHeadBytes + pagesPerBlock * this.pageBytes);
  }

  #fillPages(): void {
    const payloadBytes = this.#pagesInChunk * this.pageBytes;
    this.#filled.push({ kind: blockKinds.pages, count: this.#pagesInChunk, payloadBytes, chunk: this.#chunk });
    this.#chunk = this.#pageChunk();
    this.#pagesInChunk = 0;
  }

  #fillSegments(segments: readonly CoveredSegment[]): void {
    const payloadBytes = segments.length * coveredSegmentBytes;
    const chunk = createChunk(blockHeadBytes + payloadBytes);
    for (const [i, segment] of segments.entries()) {
      writeCoveredSegment(chunk.view, blockHeadBytes + i * coveredSegmentBytes, segment);
    }
    this.#filled.push({ kind: blockKinds.segments, count: segments.length, payloadBytes, chunk });
  }

  #fillLongKeys(): void {
    const chunk = createChunk(blockHeadBytes + this.#longKeyBytes);
    let at = blockHeadBytes;
    for (const key of this.#longKeys) {
      chunk.view.setUint32(at, key.length, true);
      chunk.bytes.set(key, at + 4);
      at += 4 + key.length;
    }
    const count = this.#longKeys.length;
    this.#filled.push({ kind: blockKinds.longKeys, count, payloadBytes: this.#longKeyBytes, chunk });
    this.#longKeys = [];
    this.#longKeyBytes = 0;
  }

  #fillWide(): void {
    const payloadBytes = this.#wide.length * widePositionBytes;
    const chunk = createChunk(blockHeadBytes + payloadBytes);
    for (const [i, position] of this.#wide.entries()) {
      writeWidePosition(chunk.view, blockHeadBytes + i * widePositionBytes, position);
    }
    this.#filled.push({ kind: blockKinds.widePositions, count: this.#wide.length, payloadBytes, chunk });
    this.#wide = [];
  }
}
