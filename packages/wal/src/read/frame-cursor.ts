/**
 * Reads frames of one segment through a window: a stretch of the file in memory that moves with the reader. Opening,
 * reading, tailing and the offline tools all go through here, so there is one place that decides what a valid frame is.
 *
 * No length is trusted before it was compared with what is there: a wild one must not make us allocate a gigabyte.
 */
import { invariant } from '@shanghai/env';
import {
  areFlagsKnown,
  compressedFlag,
  frameAlignment,
  frameCount,
  frameDurableEnd,
  frameFirstLsn,
  frameFlags,
  frameHeaderBytes,
  frameLength,
  frameWallTimeMs,
  isIntact,
  isPlausible,
  isUnwritten,
  lostFlag,
} from '../core/frame.js';
import { areRecordsSound } from '../core/record.js';
import { unpackFrame } from '../frame-compression.js';
import { WalError } from '../wal-error.js';

/** Fills a buffer from a position of the segment, as far as the file reaches; returns the bytes read. */
export type ReadRange = (buffer: Uint8Array, position: number) => Promise<number>;

/** `end`: no byte there. `unwritten`: zeros. `bad`: bytes that are no valid frame of this place. */
export type FrameState = 'frame' | 'unwritten' | 'bad' | 'end';

/** A moving window over a segment's frames. */
export class FrameCursor {
  readonly #read: ReadRange;
  readonly #seed: number;
  readonly #windowBytes: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  /** The window holds [start, start + filled) of the file. */
  #start = 0;
  #filled = 0;
  /** Bytes from here on are not looked at. May rise while a segment grows. */
  limit: number;
  /** Where the frame loaded last begins in `bytes`. */
  at = 0;
  /** The records of the frame loaded last, decompressed: from `recordsAt` on in `records`. */
  records: Uint8Array = this.#bytes;
  recordsView: DataView = this.#view;
  recordsAt = 0;

  constructor(read: ReadRange, segmentSeed: number, limit: number, windowBytes: number) {
    this.#read = read;
    this.#seed = segmentSeed;
    this.limit = limit;
    this.#windowBytes = windowBytes;
  }

  /** The window; valid until the next call. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get view(): DataView {
    return this.#view;
  }

  /** Length of the frame loaded last. */
  get length(): number {
    return frameLength(this.#view, this.at);
  }

  get firstLsn(): number {
    return frameFirstLsn(this.#view, this.at);
  }

  get count(): number {
    return frameCount(this.#view, this.at);
  }

  get wallTimeMs(): number {
    return frameWallTimeMs(this.#view, this.at);
  }

  get durableEnd(): number {
    return frameDurableEnd(this.#view, this.at);
  }

  get flags(): number {
    return frameFlags(this.#view, this.at);
  }

  /** Loads what lies at `offset`. After `'frame'`, `at` is where it begins in `bytes`. Rejects with `UNSUPPORTED_FORMAT` for a valid frame of a newer format. */
  async load(offset: number): Promise<FrameState> {
    const available = this.limit - offset;
    if (available <= 0) return 'end';
    if (!this.#holds(offset, Math.min(frameHeaderBytes, available))) await this.#fill(offset, this.#windowBytes);
    const held = this.#heldFrom(offset);
    if (held <= 0) return 'end';
    this.at = offset - this.#start;
    if (isUnwritten(this.#bytes, this.at, held)) return 'unwritten';
    if (held < frameHeaderBytes || !isPlausible(this.#view, this.at, offset, this.limit - offset)) return 'bad';
    const length = frameLength(this.#view, this.at);
    if (!this.#holds(offset, length)) {
      await this.#fill(offset, length);
      this.at = offset - this.#start;
      if (!this.#holds(offset, length)) return 'bad';
    }
    const sound = this.#check(offset);
    return (typeof sound === 'boolean' ? sound : await sound) ? 'frame' : 'bad';
  }

  /**
   * The offset of the next valid frame at or behind `from` whose first LSN is at least `minLsn`, loaded; `undefined`
   * where there is none. Stale bytes of a recycled file are mostly turned away by their LSN, before the checksum.
   */
  async find(from: number, minLsn: number): Promise<number | undefined> {
    for (let offset = Math.ceil(from / frameAlignment) * frameAlignment; offset < this.limit; ) {
      if (!this.#holds(offset, frameHeaderBytes)) await this.#fill(offset, this.#windowBytes);
      const end = Math.min(this.#start + this.#filled, this.limit) - frameHeaderBytes;
      if (offset > end) return undefined;
      for (; offset <= end; offset += frameAlignment) {
        const at = offset - this.#start;
        if (this.#view.getUint32(at + 4, true) !== 0 && this.#couldBe(at, offset, minLsn)) {
          if ((await this.load(offset)) === 'frame') return offset;
          // Loading may have moved the window.
          break;
        }
      }
      if (offset <= end) offset += frameAlignment;
    }
    return undefined;
  }

  #couldBe(at: number, offset: number, minLsn: number): boolean {
    const lsn = frameFirstLsn(this.#view, at);
    return lsn >= minLsn && lsn - minLsn < 4_294_967_296 && isPlausible(this.#view, at, offset, this.limit - offset);
  }

  /** A promise only where there is something to decompress: a scan must not pay a turn for each frame. */
  #check(offset: number): boolean | Promise<boolean> {
    if (!isIntact(this.#bytes, this.#view, this.at, this.#seed, offset)) return false;
    const flags = this.flags;
    if (!areFlagsKnown(flags)) {
      const message = `the frame at offset ${offset} has flags ${flags} of a newer format; use a newer version`;
      throw new WalError('UNSUPPORTED_FORMAT', message, { details: { offset, flags } });
    }
    if ((flags & (compressedFlag | lostFlag)) === compressedFlag) return this.#unpack();
    this.records = this.#bytes;
    this.recordsView = this.#view;
    this.recordsAt = this.at + frameHeaderBytes;
    if ((flags & lostFlag) !== 0 || this.count === 0) return true;
    return areRecordsSound(this.#view, this.recordsAt, this.at + this.length, this.count);
  }

  async #unpack(): Promise<boolean> {
    const records = await unpackFrame(this.#bytes, this.#view, this.at, this.length, this.flags);
    if (records === undefined) return false;
    this.records = records;
    this.recordsView = new DataView(records.buffer, records.byteOffset, records.length);
    this.recordsAt = 0;
    return areRecordsSound(this.recordsView, 0, records.length, this.count);
  }

  #holds(offset: number, bytes: number): boolean {
    return offset >= this.#start && offset + bytes <= this.#start + this.#filled;
  }

  #heldFrom(offset: number): number {
    return Math.min(this.#start + this.#filled, this.limit) - offset;
  }

  async #fill(offset: number, bytes: number): Promise<void> {
    const wanted = Math.min(Math.max(bytes, frameHeaderBytes), this.limit - offset);
    invariant(wanted > 0, `nothing to read at ${offset}, the limit is ${this.limit}`);
    if (this.#bytes.length < wanted) {
      this.#bytes = new Uint8Array(Math.max(wanted, Math.min(this.#windowBytes, this.limit)));
      this.#view = new DataView(this.#bytes.buffer);
    }
    const target = Math.min(this.#bytes.length, this.limit - offset);
    this.#filled = 0;
    this.#filled = await this.#read(this.#bytes.subarray(0, target), offset);
    this.#start = offset;
  }
}
