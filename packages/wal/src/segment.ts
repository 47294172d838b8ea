import {
  emptiesFlag,
  footerFlag,
  frameCount,
  frameDurableEnd,
  frameFirstLsn,
  frameFlags,
  frameLength,
  frameWallTimeMs,
  lostFlag,
  replacesFlag,
} from './core/frame.js';
import { FrameIndex } from './core/frame-index.js';
import { recordHeaderBytes, recordPayloadBytes, recordStream } from './core/record.js';
import { ReplacedStreams } from './core/replaced-streams.js';
import type { SegmentSummary } from './core/segment-footer.js';
import { lostFeature, type SegmentHeader, segmentHeaderBytes, segmentSeed } from './core/segment-header.js';
import { segmentName } from './core/segment-names.js';
import { StreamMarks } from './core/stream-marks.js';

/** What the log knows of one of its files. The writer and the opening scan change it, everybody reads it. */
export class Segment {
  readonly name: string;
  readonly path: string;
  readonly header: SegmentHeader;
  /** Seeds the checksums of its frames. */
  readonly seed: number;
  /** Where the frames end and the next one, or the footer, begins. */
  endOffset = segmentHeaderBytes;
  /** Where frames that readers may see end. */
  readableEnd = segmentHeaderBytes;
  /** Where the last frame with records ends. */
  recordsEnd = segmentHeaderBytes;
  /** The highest durable end that a frame states. */
  statedEnd = segmentHeaderBytes;
  /** Length of the file. */
  fileBytes: number;
  sealed = false;
  records = 0;
  lastLsn: number;
  minTimeMs = 0;
  maxTimeMs = 0;
  marks = new StreamMarks();
  index = new FrameIndex();
  /** Streams that frames of this segment replaced. */
  replaced = new ReplacedStreams();
  /** Whether records here were lost. Whatever `marks` say, they may have been of every stream. */
  hasLost: boolean;
  /** Reads under way: while there are any the file is not recycled. */
  reads = 0;
  /** No longer part of the log: its file may hold something else. */
  released = false;

  constructor(directory: string, header: SegmentHeader, fileBytes: number) {
    this.name = segmentName(header.baseLsn);
    this.path = `${directory}/${this.name}`;
    this.header = header;
    this.seed = segmentSeed(header.segmentId);
    this.lastLsn = header.baseLsn - 1;
    this.fileBytes = fileBytes;
    this.hasLost = (header.features & lostFeature) !== 0;
  }

  /** LSN of the next record. */
  get nextLsn(): number {
    return this.lastLsn + 1;
  }

  get summary(): SegmentSummary {
    const { records, lastLsn, minTimeMs, maxTimeMs, marks, index, replaced } = this;
    return { records, lastLsn, minTimeMs, maxTimeMs, marks, index, replaced };
  }

  /**
   * Takes in the sound frame at `at` of a buffer, which lies or will lie at `endOffset`. Its records, decompressed, begin
   * at `recordsAt` of `records`.
   */
  noteFrame(view: DataView, at: number, records: DataView, recordsAt: number): void {
    const count = frameCount(view, at);
    const length = frameLength(view, at);
    const flags = frameFlags(view, at);
    const wallTimeMs = frameWallTimeMs(view, at);
    this.statedEnd = Math.max(this.statedEnd, frameDurableEnd(view, at));
    if ((flags & footerFlag) !== 0) return;
    if (count > 0) {
      const firstLsn = frameFirstLsn(view, at);
      this.index.offer(firstLsn, this.endOffset);
      if ((flags & lostFlag) !== 0) this.hasLost = true;
      if ((flags & replacesFlag) !== 0) this.#noteReplacement(recordStream(records, recordsAt), firstLsn, flags);
      if ((flags & (lostFlag | emptiesFlag)) === 0) this.#noteRecords(records, recordsAt, firstLsn, count);
      if (this.records === 0) this.minTimeMs = wallTimeMs;
      this.records += count;
      this.lastLsn += count;
    }
    this.maxTimeMs = wallTimeMs;
    this.endOffset += length;
    if (count > 0) this.recordsEnd = this.endOffset;
  }

  /** Takes over what a footer states. */
  noteFooter(summary: SegmentSummary, offset: number, fileBytes: number): void {
    Object.assign(this, summary);
    this.endOffset = offset;
    this.recordsEnd = offset;
    this.readableEnd = offset;
    this.fileBytes = fileBytes;
    this.sealed = true;
  }

  #noteReplacement(stream: number, firstLsn: number, flags: number): void {
    this.replaced.note(stream, (flags & emptiesFlag) === 0 ? firstLsn : firstLsn + 1);
  }

  #noteRecords(view: DataView, at: number, firstLsn: number, count: number): void {
    let position = at;
    for (let i = 0; i < count; i++) {
      const bytes = recordHeaderBytes + recordPayloadBytes(view, position);
      this.marks.note(recordStream(view, position), firstLsn + i, bytes);
      position += bytes;
    }
  }
}
