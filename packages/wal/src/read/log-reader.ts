/**
 * Reads records by LSN from the files, at the reader's own pace: nothing is kept for a slow reader, and nothing a
 * reader does holds up an append. A reader does not pin segments either: between two reads it is only a position, and
 * one that falls behind what is kept gets `LSN_TRIMMED`, never a silent gap.
 *
 * Damage costs exactly the records it took: the reader looks for the next valid frame behind it, and only a read that
 * wants one of the records in between fails.
 */
import { footerFlag, lostFlag } from '../core/frame.js';
import { segmentHeaderBytes } from '../core/segment-header.js';
import type { LogState } from '../log-state.js';
import type { Segment } from '../segment.js';
import type { Lsn, WalEntry, WalRange } from '../wal.js';
import { closedError, corruptError, replacedError, trimmedError } from '../wal-failures.js';
import { FrameCursor } from './frame-cursor.js';
import type { SegmentFiles } from './segment-files.js';
import { selectRecords } from './select-records.js';

const streamingWindowBytes = 262_144;
const pointWindowBytes = 98_304;

/** A place in the log: the frame at `offset` of `segment` begins with `lsn`. */
interface Position {
  readonly segment: Segment;
  readonly cursor: FrameCursor;
  offset: number;
  lsn: Lsn;
}

/** Reads of an open log. */
export class LogReader {
  readonly #state: LogState;
  readonly #files: SegmentFiles;

  constructor(state: LogState, files: SegmentFiles) {
    this.#state = state;
    this.#files = files;
  }

  /** The record with this LSN; `undefined` beyond the readable end. */
  async read(lsn: Lsn): Promise<WalEntry | undefined> {
    if (lsn > this.#state.readableLsn) return undefined;
    const position = this.#seek(lsn, pointWindowBytes);
    await this.#loadFrame(position, lsn);
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
      if (stream !== undefined && position.segment.sealed && position.segment.marks.highest(stream) < lsn) {
        lsn = position.segment.lastLsn + 1;
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

  /** The first LSN, in [first kept, readable end], of a frame made at or after `wallTimeMs`; the one behind where there is none. */
  async lsnAtTime(wallTimeMs: number): Promise<Lsn> {
    const end = this.#state.readableLsn + 1;
    const segment = this.#state.segments.find(
      (candidate) => candidate.records > 0 && (!candidate.sealed || candidate.maxTimeMs >= wallTimeMs),
    );
    if (segment === undefined) return end;
    const from = segment.header.baseLsn;
    for await (const { lsn, time } of this.#frames(from, end)) {
      if (time >= wallTimeMs) return lsn;
    }
    return end;
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
