import { type Disk, type DiskFile, invariant, type Random, writeFully } from '@shanghai/env';
import { frameHeaderBytes, lostFlag, sealFrame } from '../core/frame.js';
import type { FrameBatch } from '../core/frame-batch.js';
import { encodeFooter } from '../core/segment-footer.js';
import {
  encodeSegmentHeader,
  lostFeature,
  replacesFeature,
  segmentHeaderBytes,
  toHex,
} from '../core/segment-header.js';
import { Segment } from '../segment.js';

const defaultCapacityBytes = 67_108_864;

/** What is written. */
export interface SalvagePlan {
  readonly directory: string;
  readonly logId: string;
  readonly createdMs: number;
  /** Of each segment. Default 64 MiB. */
  readonly capacityBytes?: number;
}

/**
 * Writes frames with given LSNs into a new log, one segment after the other, which the writer of an open log cannot do. Segments
 * grow; the last has no footer, opening reads it from the start. Segments are synced one by one, the names at the end.
 */
export class SalvageWriter {
  readonly #disk: Disk;
  readonly #random: Random;
  readonly #plan: SalvagePlan;
  #segment: Segment | undefined;
  #file: DiskFile | undefined;
  #wallTimeMs = 0;
  #segments = 0;

  constructor(disk: Disk, random: Random, plan: SalvagePlan) {
    this.#disk = disk;
    this.#random = random;
    this.#plan = plan;
  }

  /** The LSN that the next frame must begin with; 1 before the first. */
  get nextLsn(): number {
    return this.#segment?.nextLsn ?? 1;
  }

  /** Writes a finished batch of one frame. */
  async write(firstLsn: number, wallTimeMs: number, batch: FrameBatch, durableEnd: number): Promise<void> {
    invariant(batch.frames === 1, `a salvaged frame became ${batch.frames} frames`);
    const bytes = batch.frameBytes(0);
    const { segment, file } = await this.#segmentFor(firstLsn, bytes, batch.replaces ? replacesFeature : 0);
    this.#wallTimeMs = Math.max(this.#wallTimeMs, wallTimeMs);
    const place = { segmentSeed: segment.seed, offset: segment.endOffset };
    batch.seal(0, place, { firstLsn, wallTimeMs: this.#wallTimeMs, durableEnd });
    await writeFully(file, batch.bytes.subarray(0, bytes), segment.endOffset);
    segment.noteFrame(batch.view, 0, batch.view, frameHeaderBytes);
  }

  /** Writes frames that stand for `count` records nobody could read. */
  async writeLost(firstLsn: number, count: number): Promise<void> {
    for (let done = 0; done < count; ) {
      const some = Math.min(count - done, 0xffff_ffff);
      await this.#writeEmpty(firstLsn + done, some, lostFlag);
      done += some;
    }
  }

  /** Ends the only segment with its footer and syncs it. Not beside `finish`. */
  async seal(): Promise<void> {
    invariant(this.#file !== undefined && this.#segments === 1, 'what is sealed is one segment');
    await this.#sealActive();
  }

  /** Syncs everything and states it. */
  async finish(): Promise<void> {
    if (this.#file === undefined) return;
    await this.#file.sync();
    await this.#writeEmpty(this.nextLsn, 0, 0);
    await this.#file.sync();
    await this.#disk.syncDirectory(this.#plan.directory);
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  /** A frame without records; one that states a durable end (no flags) states all before it. */
  async #writeEmpty(firstLsn: number, count: number, flags: number): Promise<void> {
    const needs = flags === lostFlag ? lostFeature : 0;
    const { segment, file } = await this.#segmentFor(firstLsn, frameHeaderBytes, needs);
    const bytes = new Uint8Array(frameHeaderBytes);
    const view = new DataView(bytes.buffer);
    const durableEnd = flags === 0 ? segment.endOffset : 0;
    const place = { segmentSeed: segment.seed, offset: segment.endOffset };
    const fields = { firstLsn, wallTimeMs: this.#wallTimeMs, durableEnd, count, flags };
    sealFrame(bytes, view, 0, frameHeaderBytes, place, fields);
    await writeFully(file, bytes, segment.endOffset);
    segment.noteFrame(view, 0, view, frameHeaderBytes);
  }

  async #segmentFor(firstLsn: number, bytes: number, needs = 0): Promise<{ segment: Segment; file: DiskFile }> {
    const segment = this.#segment;
    if (segment !== undefined && this.#file !== undefined) {
      invariant(firstLsn === segment.nextLsn, `a frame with LSN ${firstLsn} where ${segment.nextLsn} is due`);
      const hasRoom = segment.records === 0 || segment.endOffset + bytes <= segment.header.capacityBytes;
      if (hasRoom && (needs & ~segment.header.features) === 0) return { segment, file: this.#file };
      await this.#sealActive();
    }
    return await this.#begin(firstLsn, needs | ((segment?.header.features ?? 0) & replacesFeature));
  }

  async #sealActive(): Promise<void> {
    const segment = this.#segment;
    const file = this.#file;
    invariant(segment !== undefined && file !== undefined, 'there is no segment to seal');
    const { seed, endOffset } = segment;
    const place = { segmentSeed: seed, offset: endOffset, features: segment.header.features };
    const footer = encodeFooter(segment.summary, place, { wallTimeMs: this.#wallTimeMs, durableEnd: 0 });
    await writeFully(file, footer, endOffset);
    await file.sync();
    await this.close();
  }

  async #begin(baseLsn: number, features: number): Promise<{ segment: Segment; file: DiskFile }> {
    const { directory, logId, createdMs, capacityBytes = defaultCapacityBytes } = this.#plan;
    const segmentId = toHex(this.#random.bytes(8));
    const header = { segmentId, logId, baseLsn, createdMs, capacityBytes, allocatedBytes: 0, features };
    const segment = new Segment(directory, header, segmentHeaderBytes);
    const file = await this.#disk.open(segment.path, 'create');
    this.#segment = segment;
    this.#file = file;
    this.#segments++;
    await writeFully(file, encodeSegmentHeader(header), 0);
    return { segment, file };
  }
}
