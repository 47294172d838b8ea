/**
 * Writes frames into the active segment and moves on to the next one when it is full.
 *
 * Failures come in two kinds. A `WalError` (`DISK_FULL`, or `IO_ERROR` where no file could be made) means that nothing
 * of the step was written: the log stays as it is and the step may be tried again. Anything else leaves bytes in an
 * unknown state, and the caller poisons the log.
 */
import { type DiskFile, invariant } from '@shanghai/env';
import { frameHeaderBytes, sealFrame } from '../core/frame.js';
import { type FrameBatch, terminatorBytes } from '../core/frame-batch.js';
import type { FrameImage } from '../core/frame-image.js';
import { encodeFooter } from '../core/segment-footer.js';
import { compressionFeature, replacesFeature } from '../core/segment-header.js';
import { capacityForFrame, fitsSegment, nextCapacityBytes } from '../core/segment-plan.js';
import { type FrameCompressionCounts, isWorthPacking, packFrames } from '../frame-compression.js';
import type { LogState } from '../log-state.js';
import type { ResolvedWalOptions } from '../resolve-wal-options.js';
import type { Segment } from '../segment.js';
import { ioError } from '../wal-failures.js';
import { activateSegment } from './activate-segment.js';
import type { SegmentMaker } from './segment-maker.js';
import { writeAt } from './write-at.js';

/** The one writer of a log's segments. One call at a time. */
export class SegmentWriter {
  readonly #state: LogState;
  readonly #options: ResolvedWalOptions;
  readonly #maker: SegmentMaker;
  readonly #onReleasable: () => void;
  /** The active segment's file; `undefined` while the last segment is sealed. */
  #file: DiskFile | undefined;
  /** Bytes of the active segment before this were covered by a sync. */
  #syncedEnd: number;
  #wallTimeMs: number;
  /** The sync under way. One at a time, and none after one that failed. */
  #syncing: Promise<void> | undefined;
  #syncFailure: { readonly error: unknown } | undefined;
  /** Whether the active segment has frames that replaced a stream and that no sync covers, not even one under way. */
  #unsyncedReplacements = false;
  readonly compression: FrameCompressionCounts = { rawBytes: 0, storedBytes: 0, compressedFrames: 0, skippedFrames: 0 };

  /** `onReleasable` hears when a segment was sealed and has a successor, or a stream was replaced: something may go. */
  constructor(
    state: LogState,
    options: ResolvedWalOptions,
    maker: SegmentMaker,
    file: DiskFile | undefined,
    onReleasable: () => void,
  ) {
    this.#onReleasable = onReleasable;
    this.#state = state;
    this.#options = options;
    this.#maker = maker;
    this.#file = file;
    this.#syncedEnd = state.last.endOffset;
    this.#wallTimeMs = state.segments.reduce((latest, segment) => Math.max(latest, segment.maxTimeMs), 0);
  }

  /** Whether a sync would make anything durable. */
  get hasUnsynced(): boolean {
    return this.#file !== undefined && this.#syncedEnd < this.#state.last.recordsEnd;
  }

  /** Whether the last synced frame with records is not yet covered by a stated durable end. */
  get needsCover(): boolean {
    const { last } = this.#state;
    return this.#file !== undefined && last.statedEnd < last.recordsEnd && this.#syncedEnd >= last.recordsEnd;
  }

  /** Whether the active segment holds records and is older than `segmentAgeMs`. */
  get isAged(): boolean {
    const { last } = this.#state;
    if (this.#file === undefined || last.records === 0) return false;
    return this.#options.clock.nowMs() - last.header.createdMs >= this.#options.segmentAgeMs;
  }

  /** Writes a finished batch. `onWritten` hears how many of its records are written, also where it then fails. */
  async write(batch: FrameBatch, onWritten: (records: number) => void): Promise<void> {
    this.#wallTimeMs = Math.max(this.#wallTimeMs, this.#options.clock.nowMs());
    const packs = this.#options.compression === 'lz4' && isWorthPacking(batch);
    const image = packs ? await packFrames(batch, this.compression) : batch;
    const needs = (batch.replaces ? replacesFeature : 0) | (packs ? compressionFeature : 0);
    for (let frame = 0; frame < batch.frames; ) {
      const bytes = image.frameBytes(frame);
      const isFull = this.#file === undefined || !this.#fits(this.#state.last.endOffset, bytes);
      if (isFull || (needs & ~this.#state.last.header.features) !== 0) await this.rotate(bytes, needs);
      frame = await this.#writeRun(batch, image, frame);
      onWritten(batch.recordsBefore(frame));
    }
  }

  /** Makes everything written durable. Writes may go on meanwhile; what they write is not covered. */
  async sync(): Promise<void> {
    while (this.#syncing !== undefined) await this.#syncing.catch(() => undefined);
    if (this.#syncFailure !== undefined) throw this.#syncFailure.error;
    this.#syncing = this.#syncNow();
    try {
      await this.#syncing;
    } catch (error) {
      this.#syncFailure = { error };
      throw error;
    } finally {
      this.#syncing = undefined;
    }
  }

  async #syncNow(): Promise<void> {
    invariant(this.#file !== undefined, 'there is no active segment to sync');
    const { last, writtenLsn } = this.#state;
    const end = last.endOffset;
    const replaced = this.#unsyncedReplacements ? last.replaced.entries() : [];
    this.#unsyncedReplacements = false;
    if (this.#options.writer === 'async') await this.#file.sync();
    else this.#file.syncSync();
    invariant(this.#state.last === last, 'a segment was left while it was synced');
    this.#syncedEnd = end;
    last.readableEnd = Math.max(last.readableEnd, end);
    this.#state.durableLsn = writtenLsn;
    for (const { stream, below } of replaced) {
      this.#state.replaced.note(stream, below);
      this.#state.durablyReplaced.note(stream, below);
    }
    if (replaced.length > 0) this.#onReleasable();
  }

  /** Writes an empty frame that states what is synced, and syncs it. */
  async cover(): Promise<void> {
    const { last } = this.#state;
    const bytes = new Uint8Array(frameHeaderBytes + terminatorBytes);
    const view = new DataView(bytes.buffer);
    const fields = { firstLsn: last.nextLsn, count: 0, flags: 0, ...this.#stamp() };
    sealFrame(bytes, view, 0, frameHeaderBytes, { segmentSeed: last.seed, offset: last.endOffset }, fields);
    await this.#put(bytes, frameHeaderBytes);
    last.noteFrame(view, 0, view, frameHeaderBytes);
    await this.sync();
  }

  /**
   * Seals the active segment and begins the next one, which takes a frame of `frameBytes` and has at least `features`. An
   * active segment without records is replaced instead: its successor would have its name.
   */
  async rotate(frameBytes = 0, features = 0): Promise<void> {
    const { last } = this.#state;
    const isEmpty = last.records === 0;
    invariant(!isEmpty || features !== 0, `segment '${last.name}' has no record and nothing asks for another`);
    const capacity = nextCapacityBytes(this.#options, last.header.capacityBytes);
    const prepared = await this.#maker.take().catch((error: unknown) => {
      throw ioError('making a segment', error);
    });
    try {
      if (!isEmpty && this.#file !== undefined) await this.#seal(this.#file, last);
    } catch (error) {
      this.#maker.giveBack(prepared);
      throw error;
    }
    const { segment, file } = await activateSegment(this.#options, this.#maker, prepared, {
      logId: this.#state.logId,
      baseLsn: last.nextLsn,
      capacityBytes: capacityForFrame(isEmpty ? last.header.capacityBytes : capacity, frameBytes),
      features: features | this.#lastingFeatures(last.header.features),
    });
    // An empty segment's file: the name leads to its successor now.
    await this.close();
    this.#file = file;
    this.#syncedEnd = segment.endOffset;
    if (isEmpty) this.#state.segments.pop();
    this.#state.segments.push(segment);
    this.#onReleasable();
  }

  /** Closes the active file. Does not sync. */
  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  /** Features that segments after one with `features` have too. */
  #lastingFeatures(features: number): number {
    return (features & replacesFeature) | (this.#options.compression === 'lz4' ? compressionFeature : 0);
  }

  /** Writes frames from `first` on, as many as fit the active segment. Returns the first that was not written. */
  async #writeRun(batch: FrameBatch, image: FrameImage, first: number): Promise<number> {
    const { last } = this.#state;
    const { wallTimeMs, durableEnd } = this.#stamp();
    const start = image.frameStart(first);
    let end = first;
    while (end < image.frames && this.#fits(last.endOffset + image.frameStart(end) - start, image.frameBytes(end))) {
      const place = { segmentSeed: last.seed, offset: last.endOffset + image.frameStart(end) - start };
      const firstLsn = last.nextLsn + image.recordsBefore(end) - image.recordsBefore(first);
      image.seal(end, place, { firstLsn, wallTimeMs, durableEnd });
      end++;
    }
    const stop = image.frameStart(end);
    // Behind the last frame of the batch lie zeros; behind another one lies the next frame, which is not written here.
    const tail = end === image.frames ? terminatorBytes : 0;
    await this.#put(image.bytes.subarray(start, stop + tail), stop - start);
    for (let frame = first; frame < end; frame++) {
      const recordsAt = batch.frameStart(frame) + frameHeaderBytes;
      last.noteFrame(image.view, image.frameStart(frame), batch.view, recordsAt);
    }
    if (batch.replaces) this.#unsyncedReplacements = true;
    this.#state.writtenLsn = last.lastLsn;
    if (this.#options.durability !== 'always') {
      last.readableEnd = last.endOffset;
      if (batch.replaces) this.#state.replaced.noteAll(last.replaced);
    }
    if (last.endOffset > last.header.capacityBytes / 2) {
      this.#maker.keepAhead(nextCapacityBytes(this.#options, last.header.capacityBytes));
    }
    return end;
  }

  /** Writes `frameBytes` of frames at the active segment's end, and what of the zeros behind them the file has room for. */
  async #put(bytes: Uint8Array, frameBytes: number): Promise<void> {
    const { last } = this.#state;
    const file = this.#file;
    invariant(file !== undefined, 'there is no active segment to write to');
    const room = Math.max(frameBytes, last.fileBytes - last.endOffset);
    const whole = room >= bytes.length ? bytes : bytes.subarray(0, room);
    await writeAt(file, whole, last.endOffset, last.fileBytes, this.#options.writer);
    last.fileBytes = Math.max(last.fileBytes, last.endOffset + whole.length);
  }

  async #seal(file: DiskFile, segment: Segment): Promise<void> {
    const offset = segment.endOffset;
    const footer = encodeFooter(
      segment.summary,
      { segmentSeed: segment.seed, offset, features: segment.header.features },
      this.#stamp(),
    );
    await writeAt(file, footer, offset, segment.fileBytes, this.#options.writer);
    await this.sync();
    const bytes = offset + footer.length;
    // The cut saves space and is never needed: a crash may undo it, and the footer is found all the same.
    if (segment.fileBytes > bytes) await file.truncate(bytes).catch(() => undefined);
    await this.close();
    segment.fileBytes = bytes;
    segment.sealed = true;
    this.#options.listener.segmentSealed?.({ segment: segment.name, bytes, lastLsn: segment.lastLsn });
  }

  #fits(endOffset: number, frameBytes: number): boolean {
    return fitsSegment(this.#state.last.header.capacityBytes, endOffset, frameBytes);
  }

  #stamp(): { readonly wallTimeMs: number; readonly durableEnd: number } {
    return { wallTimeMs: this.#wallTimeMs, durableEnd: this.#syncedEnd };
  }
}
