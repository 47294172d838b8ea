/**
 * Reads records by LSN from the files, at the reader's own pace: nothing is kept for a slow reader, and nothing a
 * reader does holds up an append. A reader does not pin segments either: between two reads it is only a position, and
 * one that falls behind what is kept gets `LSN_TRIMMED`, never a silent gap.
 *
 * A read of one record leaves its place and window behind for the next: who reads record after record, or the same one
 * again, mostly finds it there. So does the read of a block.
 *
 * Damage costs exactly the records it took: the reader looks for the next valid frame behind it, and only a read that
 * wants one of the records in between fails.
 */
import { footerFlag, lostFlag } from '../core/frame.js';
import { segmentHeaderBytes } from '../core/segment-header.js';
import type { LogState } from '../log-state.js';
import type { Segment } from '../segment.js';
import type { BlockRange, Lsn, WalBlock, WalEntry, WalRange } from '../wal.js';
import { closedError, corruptError, replacedError, trimmedError } from '../wal-failures.js';
import { BlockBuilder } from './block-builder.js';
import { FrameCursor } from './frame-cursor.js';
import type { SegmentFiles } from './segment-files.js';
import { selectRecords } from './select-records.js';

const streamingWindowBytes = 262_144;
const pointWindowBytes = 98_304;
const largeWindowBytes = 1_048_576;
/** Enough for most frames: a search by time touches few of them. */
const timeWindowBytes = 36_864;

/** A place in the log: the frame at `offset` of `segment` begins with `lsn`. */
interface Position {
  readonly segment: Segment;
  readonly cursor: FrameCursor;
  offset: number;
  lsn: Lsn;
}

/** A place where a read of one record ended: the frame that begins with `lsn` is loaded, up to `endLsn` (exclusive). */
interface PointPosition extends Position {
  readonly endLsn: Lsn;
}

/** Reads of an open log. */
export class LogReader {
  readonly #state: LogState;
  readonly #files: SegmentFiles;
  /** Taken by the read that uses it, so no two reads move one window. */
  #lastPoint: PointPosition | undefined;
  /** Where the last block ended. Taken by the read that uses it. */
  #lastBlock: Position | undefined;

  constructor(state: LogState, files: SegmentFiles) {
    this.#state = state;
    this.#files = files;
  }

  /** The record with this LSN; `undefined` beyond the readable end. */
  async read(lsn: Lsn): Promise<WalEntry | undefined> {
    if (lsn > this.#state.readableLsn) return undefined;
    const { position, isLoaded } = this.#seekPoint(lsn);
    if (!isLoaded) await this.#loadFrame(position, lsn);
    this.#lastPoint = { ...position, endLsn: position.lsn + position.cursor.count };
    const { replaced } = this.#state;
    const choice = { from: lsn, to: lsn + 1, stream: undefined, replaced };
    const entry = selectRecords(position.cursor, choice)[0];
    if (entry === undefined) throw replacedError(lsn, this.#state.firstLsn);
    return entry;
  }

  /** Records in [from, to), `to` at most the readable end + 1. The signal's abort rejects. */
  async *records(from: Lsn, to: Lsn, range: Pick<WalRange, 'stream' | 'signal'>): AsyncGenerator<WalEntry, void, void> {
    const { stream, signal } = range;
    const { replaced } = this.#state;
    let lsn = from;
    let position: Position | undefined;
    while (lsn < to) {
      signal?.throwIfAborted();
      if (stream !== undefined && lsn < replaced.below(stream)) {
        lsn = replaced.below(stream);
        continue;
      }
      position = this.#follow(position, lsn);
      const { segment } = position;
      if (stream !== undefined && segment.sealed && !segment.hasLost && segment.marks.highest(stream) < lsn) {
        lsn = segment.lastLsn + 1;
        continue;
      }
      await this.#loadFrame(position, lsn);
      const { cursor } = position;
      const next = cursor.firstLsn + cursor.count;
      for (const entry of selectRecords(cursor, { from: lsn, to, stream, replaced })) {
        yield entry;
        signal?.throwIfAborted();
      }
      position.offset += cursor.length;
      position.lsn = next;
      lsn = next;
    }
  }

  /** Records from `from` on, up to `to` (exclusive, at most the readable end + 1) and `maxBytes`; at least one. */
  async block(from: Lsn, to: Lsn, bounds: Pick<BlockRange, 'maxBytes' | 'into'>): Promise<WalBlock> {
    const builder = new BlockBuilder(from, to, bounds.maxBytes, bounds.into);
    let position = this.#goOn(from);
    try {
      for (let isMore = true; isMore; ) {
        const lsn = builder.nextLsn;
        if (lsn > from) position = this.#follow(position, lsn);
        await this.#loadFrame(position, lsn);
        const { cursor } = position;
        isMore = builder.take(cursor);
        // A frame of which something is left is where the next block begins.
        if (builder.nextLsn < cursor.firstLsn + cursor.count) break;
        position.lsn = cursor.firstLsn + cursor.count;
        position.offset += cursor.length;
      }
    } catch (error) {
      // What lies before damage can be read; who wants what is behind hears of it.
      if (builder.nextLsn === from) throw error;
      return builder.block;
    }
    // The window of a very large frame is not kept for a reader that has all there is.
    const isLarge = position.cursor.bytes.length > largeWindowBytes;
    this.#lastBlock = isLarge && builder.nextLsn === to ? undefined : position;
    return builder.block;
  }

  /** The first LSN, in [first kept, readable end], of a frame made at or after `wallTimeMs`; the one behind where there is none. */
  async lsnAtTime(wallTimeMs: number): Promise<Lsn> {
    const end = this.#state.readableLsn + 1;
    const segment = this.#state.segments.find(
      (candidate) => candidate.records > 0 && (!candidate.sealed || candidate.maxTimeMs >= wallTimeMs),
    );
    if (segment === undefined) return end;
    for await (const { lsn, time } of this.#frames(await this.#lastBefore(segment, wallTimeMs), end)) {
      if (time >= wallTimeMs) return lsn;
    }
    return end;
  }

  /** First LSN of an indexed frame of the segment that was made before `wallTimeMs`, the last such where nothing is damaged. */
  async #lastBefore(segment: Segment, wallTimeMs: number): Promise<Lsn> {
    const { index } = segment;
    const cursor = new FrameCursor(this.#files.reader(segment), segment.seed, segment.readableEnd, timeWindowBytes);
    let low = 0;
    let high = index.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const isFrame = (await cursor.load(index.offsetAt(middle))) === 'frame';
      // A frame that cannot be read, or not yet, is no ground to pass over those before it.
      if (isFrame && cursor.wallTimeMs < wallTimeMs) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? segment.header.baseLsn : index.lsnAt(low - 1);
  }

  async *#frames(from: Lsn, to: Lsn): AsyncGenerator<{ readonly lsn: Lsn; readonly time: number }, void, void> {
    let position: Position | undefined;
    for (let lsn = from; lsn < to; ) {
      position = this.#follow(position, lsn);
      await this.#loadFrame(position, lsn);
      const { cursor } = position;
      yield { lsn, time: cursor.wallTimeMs };
      lsn = cursor.firstLsn + cursor.count;
      position.offset += cursor.length;
      position.lsn = lsn;
    }
  }

  /** The position for `lsn`: the one given where it is still right, so that a stream of reads stays in its window. */
  #follow(position: Position | undefined, lsn: Lsn): Position {
    if (position === undefined || position.lsn !== lsn) return this.#seek(lsn, streamingWindowBytes);
    if (position.segment.sealed && lsn > position.segment.lastLsn) return this.#seek(lsn, streamingWindowBytes);
    position.cursor.limit = position.segment.readableEnd;
    return position;
  }

  /** Where a block from `lsn` on begins, in the window of the last one where that helps. */
  #goOn(lsn: Lsn): Position {
    const last = this.#lastBlock;
    this.#lastBlock = undefined;
    if (last === undefined || last.lsn > lsn || this.#state.closed || this.#state.find(lsn) !== last.segment) {
      return this.#seek(lsn, streamingWindowBytes);
    }
    const { segment, cursor } = last;
    const entry = segment.index.find(lsn);
    if (entry >= 0 && segment.index.lsnAt(entry) > last.lsn) return this.#seek(lsn, streamingWindowBytes);
    cursor.limit = segment.readableEnd;
    return last;
  }

  /** Where to look for `lsn`, in the window of the last such read where that is the same segment's. */
  #seekPoint(lsn: Lsn): { readonly position: Position; readonly isLoaded: boolean } {
    const last = this.#lastPoint;
    this.#lastPoint = undefined;
    if (last === undefined || this.#state.closed || this.#state.find(lsn) !== last.segment) {
      return { position: this.#seek(lsn, pointWindowBytes), isLoaded: false };
    }
    const { segment, cursor } = last;
    if (last.lsn <= lsn && lsn < last.endLsn) return { position: last, isLoaded: true };
    cursor.limit = segment.readableEnd;
    const entry = segment.index.find(lsn);
    const indexedLsn = entry < 0 ? segment.header.baseLsn : segment.index.lsnAt(entry);
    if (last.lsn <= lsn && last.lsn >= indexedLsn) {
      return { position: { segment, cursor, offset: last.offset, lsn: last.lsn }, isLoaded: false };
    }
    const offset = entry < 0 ? segmentHeaderBytes : segment.index.offsetAt(entry);
    return { position: { segment, cursor, offset, lsn: indexedLsn }, isLoaded: false };
  }

  #seek(lsn: Lsn, windowBytes: number): Position {
    if (this.#state.closed) throw closedError();
    const segment = this.#state.find(lsn);
    if (segment === undefined) throw trimmedError(lsn, this.#state.firstLsn);
    const cursor = new FrameCursor(this.#files.reader(segment), segment.seed, segment.readableEnd, windowBytes);
    const entry = segment.index.find(lsn);
    return entry < 0
      ? { segment, cursor, offset: segmentHeaderBytes, lsn: segment.header.baseLsn }
      : { segment, cursor, offset: segment.index.offsetAt(entry), lsn: segment.index.lsnAt(entry) };
  }

  /** Loads the frame that holds `lsn`, from the position on. Rejects with `CORRUPT` where it is damaged. */
  async #loadFrame(position: Position, lsn: Lsn): Promise<void> {
    const { cursor, segment } = position;
    while (true) {
      const state = await cursor.load(position.offset);
      if (state !== 'frame' || cursor.firstLsn !== position.lsn || (cursor.flags & footerFlag) !== 0) {
        await this.#skipDamage(position, lsn);
        continue;
      }
      const next = position.lsn + cursor.count;
      if (lsn < next) break;
      position.offset += cursor.length;
      position.lsn = next;
    }
    if ((cursor.flags & lostFlag) === 0) return;
    const { offset, lsn: firstLsn } = position;
    const lastLsn = firstLsn + cursor.count - 1;
    throw corruptError({ segment: segment.name, offset, firstLsn, lastLsn, reason: 'a salvage could not read them' });
  }

  /** Moves on to the next valid frame, unless `lsn` is lost before it. */
  async #skipDamage(position: Position, lsn: Lsn): Promise<void> {
    const { cursor, segment } = position;
    const found = await cursor.find(position.offset + 8, position.lsn);
    const nextLsn = found === undefined ? undefined : cursor.firstLsn;
    if (found !== undefined && nextLsn !== undefined && nextLsn <= lsn) {
      position.offset = found;
      position.lsn = nextLsn;
      return;
    }
    const lastLsn = nextLsn === undefined ? segment.lastLsn : nextLsn - 1;
    const { offset, lsn: firstLsn } = position;
    const reason = 'the frame there does not match its checksum';
    throw corruptError({ segment: segment.name, offset, firstLsn, lastLsn, reason });
  }
}
