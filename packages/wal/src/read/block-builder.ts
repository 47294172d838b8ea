/**
 * Puts records of several frames behind each other as they lie in their frames. Whole frames where they fit: a reader that
 * goes on behind them begins with a frame, and none is read and checked twice.
 */
import { recordHeaderBytes, recordPayloadBytes } from '../core/record.js';
import type { Lsn, WalBlock } from '../wal.js';
import type { LoadedFrame } from './select-records.js';

/** The first buffer of a block; it doubles. */
const firstBytes = 16_384;

const noBytes = new Uint8Array(0);

/** Gathers a block. */
export class BlockBuilder {
  readonly #firstLsn: Lsn;
  readonly #to: Lsn;
  readonly #maxBytes: number;
  #bytes: Uint8Array;
  #length = 0;
  #count = 0;

  /** Of the records in [firstLsn, to), so many as have at most `maxBytes` together, but at least one; in `into` while it has room. */
  constructor(firstLsn: Lsn, to: Lsn, maxBytes: number, into: Uint8Array = noBytes) {
    this.#firstLsn = firstLsn;
    this.#to = to;
    this.#maxBytes = maxBytes;
    this.#bytes = into;
  }

  /** The record that comes next. */
  get nextLsn(): Lsn {
    return this.#firstLsn + this.#count;
  }

  /** What was gathered; the builder is of no use behind it. */
  get block(): WalBlock {
    return { firstLsn: this.#firstLsn, count: this.#count, bytes: this.#bytes.subarray(0, this.#length) };
  }

  /** Takes records of the frame that holds the next one. False where nothing behind them is to be taken. */
  take(frame: LoadedFrame): boolean {
    const { recordsView: view } = frame;
    const end = Math.min(frame.firstLsn + frame.count, this.#to);
    let start = frame.recordsAt;
    for (let lsn = frame.firstLsn; lsn < this.nextLsn; lsn++)
      start += recordHeaderBytes + recordPayloadBytes(view, start);
    const room = this.#maxBytes - this.#length;
    let stop = start;
    let lsn = this.nextLsn;
    for (; lsn < end; lsn++) {
      const next = stop + recordHeaderBytes + recordPayloadBytes(view, stop);
      if (next - start > room && !(this.#count === 0 && stop === start)) break;
      stop = next;
    }
    const isWhole = lsn === end;
    if (!isWhole && this.#count > 0) return false;
    this.#count += lsn - this.nextLsn;
    const isMore = isWhole && lsn < this.#to && this.#length + stop - start < this.#maxBytes;
    this.#append(frame.records.subarray(start, stop), isMore);
    return isMore;
  }

  #append(records: Uint8Array, isMore: boolean): void {
    const needed = this.#length + records.length;
    if (needed > this.#bytes.length) {
      const wanted = isMore ? Math.min(Math.max(firstBytes, 2 * needed), this.#maxBytes) : needed;
      const larger = Buffer.allocUnsafe(Math.max(needed, wanted));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(records, this.#length);
    this.#length = needed;
  }
}
