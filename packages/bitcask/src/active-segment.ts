import { type AppendFile, type Clock, createAppendFile, type DiskFile, isErrno, writeFully } from '@shanghai/env';
import type { BitcaskListener } from './bitcask-events.js';
import { crcSeed, writeMark } from './core/record.js';
import type { Segment } from './core/segment.js';
import { encodeWitness, segmentHeaderBytes, witnessOffset } from './core/segment-header.js';
import { NoSpace } from './no-space.js';

/** A turn of at most this many bytes is filled for: in larger ones the bytes cost more than the blocks. */
const smallTurnBytes = 65_536;
/** Turns that were looked at before zeros are written. */
const turnsBeforeFill = 4;
/** Zeros are written as many as the segment has bytes, within these bounds: never more than as much again. */
const leastFillBytes = 4_096;
const mostFillBytes = 262_144;

let zeros: Uint8Array | undefined;

/**
 * The segment being written: appends, syncs beside them, and the marks that say how far the syncs have come.
 * One append at a time (the writer's); syncs may be asked for at any time by anybody and are joined.
 *
 * Where small turns are synced one by one, zeros are written ahead of the records: a sync that need not make the file
 * longer as well costs two thirds (ADR 0017). They follow a turn's records, before its sync, so that a failure to write
 * them harms nothing, and are cut off when the segment is sealed; docs/formats/bitcask.md, section 3.4.
 */
export class ActiveSegment {
  readonly segment: Segment;
  readonly #append: AppendFile;
  readonly #clock: Clock;
  readonly #listener: BitcaskListener;
  #syncing: Promise<void> | undefined;
  /** The durable end that the last mark told. */
  #markedEnd = segmentHeaderBytes;
  #witnessedEnd = segmentHeaderBytes;
  #laidEnd = segmentHeaderBytes;
  readonly #limitBytes: number;
  /** Zeros (or records) reach to here at least. */
  #filledEnd = segmentHeaderBytes;
  /** The file may reach to here. */
  #fileEnd = segmentHeaderBytes;
  #fills = true;
  #syncs = 0;
  /** Syncs and length when it was last asked whether to fill. */
  #syncsAtLook = 0;
  #endAtLook = segmentHeaderBytes;
  /** Where the last record that is not a mark ends: syncing more than that proves nothing to anyone. */
  #recordsEnd = segmentHeaderBytes;

  /** `file` holds the synced header and nothing else. Nothing is filled beyond `limitBytes`. */
  constructor(segment: Segment, file: DiskFile, limitBytes: number, clock: Clock, listener: BitcaskListener) {
    this.segment = segment;
    this.#limitBytes = limitBytes;
    this.#append = createAppendFile(file, segmentHeaderBytes, segmentHeaderBytes);
    this.#clock = clock;
    this.#listener = listener;
  }

  get file(): DiskFile {
    return this.#append.file;
  }

  get end(): number {
    return this.#append.end;
  }

  /** Whether records were written that no completed sync covers. */
  get dirty(): boolean {
    return this.#recordsEnd > this.#append.durableEnd;
  }

  /** Whether a sync covered records since the last mark was written. */
  get wantsMark(): boolean {
    return Math.min(this.#append.durableEnd, this.#recordsEnd) > this.#markedEnd;
  }

  /** Whether the header's witness is older than the last sync. */
  get wantsWitness(): boolean {
    return this.#append.durableEnd > this.#witnessedEnd;
  }

  /** Writes a mark into the 28 bytes at `start`, for a write that will begin at `end`. */
  layMark(bytes: Uint8Array, view: DataView, start: number, sequence: number): void {
    this.#laidEnd = this.#append.durableEnd;
    writeMark(bytes, view, start, this.#laidEnd, sequence, crcSeed(this.segment.seed, this.end));
  }

  /** Appends records (and a mark before them, where one was laid). Where nothing was written for want of space, rejects with `NoSpace`. */
  async append(bytes: Uint8Array): Promise<void> {
    await this.#write(bytes);
    this.#recordsEnd = this.#append.end;
    if (this.#fills && this.end + bytes.length > this.#filledEnd && this.#hasSmallTurns()) await this.#fill();
  }

  /** Tells in the header how far the syncs have come, for whoever reads this file after a crash; need not be durable itself. */
  async writeWitness(): Promise<void> {
    const durableEnd = this.#append.durableEnd;
    await writeFully(this.file, encodeWitness(this.segment.seed, durableEnd), witnessOffset);
    this.#witnessedEnd = durableEnd;
  }

  /** Resolves when everything appended before the call is durable. */
  async sync(): Promise<void> {
    const target = this.#recordsEnd;
    while (this.#append.durableEnd < target) await this.#joinSync();
  }

  /** Cuts off what lies behind the last record and syncs everything, marks included: the length is final. */
  async finish(): Promise<void> {
    this.#recordsEnd = this.end;
    if (this.#fileEnd > this.end) {
      await this.file.truncate(this.end);
      this.#fileEnd = this.end;
      while (this.#syncing !== undefined) await this.#syncing;
      // Even where every record is synced: the length is not.
      await this.#joinSync();
    }
    await this.sync();
  }

  close(): Promise<void> {
    return this.#append.close();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#append.append(bytes);
    } catch (error) {
      if (this.#append.failure !== undefined || !isErrno(error, 'ENOSPC')) throw error;
      // The append cut the file where it began.
      this.#filledEnd = this.end;
      throw new NoSpace(`no space in '${this.file.path}'`, { cause: error });
    }
    this.segment.bytes = this.#append.end;
    this.#markedEnd = Math.max(this.#markedEnd, this.#laidEnd);
  }

  /** Whether the last turns were synced one by one and were small; asked anew every few turns. */
  #hasSmallTurns(): boolean {
    const turns = this.#syncs - this.#syncsAtLook;
    if (turns < turnsBeforeFill) return false;
    const grownBytes = this.end - this.#endAtLook;
    this.#syncsAtLook = this.#syncs;
    this.#endAtLook = this.end;
    return grownBytes <= turns * smallTurnBytes;
  }

  async #fill(): Promise<void> {
    const from = this.end;
    const bytes = Math.min(mostFillBytes, Math.max(leastFillBytes, from), this.#limitBytes - from);
    if (bytes < leastFillBytes / 2) return;
    zeros ??= new Uint8Array(mostFillBytes);
    this.#fileEnd = Math.max(this.#fileEnd, from + bytes);
    try {
      await writeFully(this.file, zeros.subarray(0, bytes), from);
      this.#filledEnd = from + bytes;
    } catch {
      // An economy: without it a sync costs more. Where space is short, others need it; a broken disk tells itself.
      this.#fills = false;
      await this.file.truncate(from).catch(() => undefined);
    }
  }

  #joinSync(): Promise<void> {
    this.#syncing ??= this.#sync().finally(() => {
      this.#syncing = undefined;
    });
    return this.#syncing;
  }

  async #sync(): Promise<void> {
    const bytes = this.#append.end - this.#append.durableEnd;
    const startedMs = this.#clock.monotonicMs();
    await this.#append.sync();
    this.#syncs++;
    this.#listener.synced?.({ bytes, syncMs: this.#clock.monotonicMs() - startedMs });
  }
}
