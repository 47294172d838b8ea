/**
 * Compressed frames (docs/formats/wal.md, section 3.1). The header's last field is the length before compression, and
 * right behind it lies the LZ4 block: together they are what the library calls a block with its size in front, so
 * nothing is copied to decompress.
 *
 * Large frames go to another thread, at the price of a way there and back; a frame of independent appends is smaller than
 * that, and is done at once, but not many in a row: now and then one takes the way round, and the event loop has its turn.
 */
import { invariant } from '@shanghai/env';
import { compress, compressSync, uncompress, uncompressSync } from 'lz4-napi';
import {
  alignFrame,
  compressedFlag,
  compressedFlags,
  type FrameFields,
  frameHeaderBytes,
  frameRawBytes,
  maxFrameBytes,
  paddingBytes,
  sealFrame,
} from './core/frame.js';
import { type FrameBatch, terminatorBytes } from './core/frame-batch.js';
import type { FrameImage } from './core/frame-image.js';

/** Frames from this length on are compressed. */
const compressedFromBytes = 8192;
/** Stored bytes must be at most this share of the frame. */
const worthShare = 0.9;
/** Frames from this length on are compressed and decompressed off the caller's thread. */
const asyncFromBytes = 131_072;
/** After so many bytes compressed on it in a row. A gigabyte a second makes it a quarter of a millisecond. */
const atOnceBytes = 262_144;
const sizeBytes = 4;
/** An LZ4 block cannot say more with a byte. */
const highestRatio = 255;

/** What compression did since the log was opened: bytes of frames tried, what they took on the disk, frames left raw. */
export interface FrameCompressionCounts {
  rawBytes: number;
  storedBytes: number;
  compressedFrames: number;
  skippedFrames: number;
}

/** Whether a batch has a frame that is long enough. */
export function isWorthPacking(batch: FrameBatch): boolean {
  for (let frame = 0; frame < batch.frames; frame++) {
    if (batch.frameBytes(frame) >= compressedFromBytes) return true;
  }
  return false;
}

/** A batch with its long frames compressed where that saves enough. The batch itself stays as it is. */
export async function packFrames(batch: FrameBatch, counts: FrameCompressionCounts): Promise<PackedFrames> {
  const packed = new PackedFrames(batch);
  let atOnce = 0;
  for (let frame = 0; frame < batch.frames; frame++) {
    const bytes = batch.frameBytes(frame);
    const start = batch.frameStart(frame);
    let block: Uint8Array | undefined;
    if (bytes >= compressedFromBytes) {
      const goesElsewhere = bytes >= asyncFromBytes || atOnce + bytes > atOnceBytes;
      atOnce = goesElsewhere ? 0 : atOnce + bytes;
      const records = recordsOf(batch.bytes, start, bytes);
      block = (goesElsewhere ? await compress(records) : compressSync(records)).subarray(sizeBytes);
    }
    if (block !== undefined && isSmaller(block.length, bytes)) {
      packed.addBlock(block);
      counts.compressedFrames++;
    } else {
      packed.addRaw();
      if (block !== undefined) counts.skippedFrames++;
    }
    if (block === undefined) continue;
    counts.rawBytes += bytes;
    counts.storedBytes += packed.frameBytes(frame);
  }
  packed.finish();
  return packed;
}

function recordsOf(bytes: Uint8Array, start: number, length: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start + frameHeaderBytes, length - frameHeaderBytes);
}

function isSmaller(blockBytes: number, frameBytes: number): boolean {
  return alignFrame(frameHeaderBytes + blockBytes) <= worthShare * frameBytes;
}

/** A batch's frames in the form in which they are stored. */
export class PackedFrames implements FrameImage {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #batch: FrameBatch;
  readonly #starts: number[] = [];
  /** Of each frame; −1 where it stayed raw. */
  readonly #paddings: number[] = [];
  #used = 0;

  constructor(batch: FrameBatch) {
    this.#batch = batch;
    const { buffer, byteOffset, length } = Buffer.allocUnsafe(batch.frameStart(batch.frames) + terminatorBytes);
    this.bytes = new Uint8Array(buffer, byteOffset, length);
    this.view = new DataView(buffer, byteOffset, length);
  }

  get frames(): number {
    return this.#batch.frames;
  }

  get records(): number {
    return this.#batch.records;
  }

  /** Whether any frame is compressed. */
  get isPacked(): boolean {
    return this.#paddings.some((padding) => padding >= 0);
  }

  /** Takes the batch's next frame as it is. */
  addRaw(): void {
    const frame = this.#starts.length;
    const start = this.#batch.frameStart(frame);
    this.#begin(-1);
    this.bytes.set(this.#batch.bytes.subarray(start, start + this.#batch.frameBytes(frame)), this.#used);
    this.#used += this.#batch.frameBytes(frame);
  }

  /** Takes a block in the place of the batch's next frame. */
  addBlock(block: Uint8Array): void {
    const end = this.#used + frameHeaderBytes + block.length;
    const aligned = alignFrame(end);
    this.#begin(aligned - end);
    this.bytes.set(block, this.#used + frameHeaderBytes);
    this.bytes.fill(0, end, aligned);
    this.#used = aligned;
  }

  /** Zeroes what a writer appends. */
  finish(): void {
    invariant(this.#starts.length === this.frames, `${this.#starts.length} of ${this.frames} frames were packed`);
    this.bytes.fill(0, this.#used, this.#used + terminatorBytes);
  }

  frameStart(index: number): number {
    return index < this.#starts.length ? (this.#starts[index] as number) : this.#used;
  }

  frameBytes(index: number): number {
    return this.frameStart(index + 1) - this.frameStart(index);
  }

  recordsBefore(index: number): number {
    return this.#batch.recordsBefore(index);
  }

  seal(
    index: number,
    place: { readonly segmentSeed: number; readonly offset: number },
    fields: Omit<FrameFields, 'count' | 'flags' | 'rawBytes'>,
  ): void {
    const padding = this.#paddings[index] as number;
    const count = this.recordsBefore(index + 1) - this.recordsBefore(index);
    const flags = this.#batch.flagsOf(index) | (padding < 0 ? 0 : compressedFlags(padding));
    const rawBytes = padding < 0 ? 0 : this.#batch.frameBytes(index) - frameHeaderBytes;
    const length = this.frameBytes(index);
    sealFrame(this.bytes, this.view, this.frameStart(index), length, place, { ...fields, count, flags, rawBytes });
  }

  #begin(padding: number): void {
    this.#starts.push(this.#used);
    this.#paddings.push(padding);
  }
}

/**
 * The records of the compressed frame in `bytes[at, at + length)`, whose checksum holds; `undefined` where they cannot
 * be had. The length they claim is checked before anything is allocated.
 */
export async function unpackFrame(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  length: number,
  flags: number,
): Promise<Uint8Array | undefined> {
  invariant((flags & compressedFlag) !== 0, 'only compressed frames are unpacked');
  const rawBytes = frameRawBytes(view, at);
  const blockBytes = length - frameHeaderBytes - paddingBytes(flags);
  if (rawBytes === 0 || rawBytes > maxFrameBytes || blockBytes <= 0 || rawBytes > highestRatio * blockBytes)
    return undefined;
  const start = at + frameHeaderBytes - sizeBytes;
  const sized = bytes.subarray(start, start + sizeBytes + blockBytes);
  try {
    // Another thread must not read from a window that may move meanwhile.
    const records = rawBytes < asyncFromBytes ? uncompressSync(sized) : await uncompress(sized.slice());
    // Not as the Buffer it is: a Buffer's slices share its memory.
    return records.length === rawBytes ? new Uint8Array(records.buffer, records.byteOffset, rawBytes) : undefined;
  } catch {
    return undefined;
  }
}
