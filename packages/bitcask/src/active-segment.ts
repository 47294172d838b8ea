import { type AppendFile, type Clock, createAppendFile, type DiskFile, isErrno, writeFully } from '@shanghai/env';
import type { BitcaskListener } from './bitcask-events.js';
import { crcSeed, writeMark } from './core/record.js';
import type { Segment } from './core/segment.js';
import { encodeWitness, segmentHeaderBytes, witnessOffset } from './core/segment-header.js';
import { NoSpace } from './no-space.js';

/**
 * The segment being written: appends, syncs beside them, and the marks that say how far the syncs have come.
 * One append at a time (the writer's); syncs may be asked for at any time by anybody and are joined.
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
  /** Where the last record that is not a mark ends: syncing more than that proves nothing to anyone. */
  #recordsEnd = segmentHeaderBytes;

  /** `file` holds the synced header and nothing else. */
  constructor(segment: Segment, file: DiskFile, clock: Clock, listener: BitcaskListener) {
    this.segment = segment;
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
    while (this.#append.durableEnd < target) {
      this.#syncing ??= this.#sync().finally(() => {
        this.#syncing = undefined;
      });
      await this.#syncing;
    }
  }

  /** Syncs everything, marks included: the length is about to be final. */
  async syncWhole(): Promise<void> {
    this.#recordsEnd = this.#append.end;
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
      throw new NoSpace(`no space in '${this.file.path}'`, { cause: error });
    }
    this.segment.bytes = this.#append.end;
    this.#markedEnd = Math.max(this.#markedEnd, this.#laidEnd);
  }

  async #sync(): Promise<void> {
    const bytes = this.#append.end - this.#append.durableEnd;
    const startedMs = this.#clock.monotonicMs();
    await this.#append.sync();
    this.#listener.synced?.({ bytes, syncMs: this.#clock.monotonicMs() - startedMs });
  }
}
