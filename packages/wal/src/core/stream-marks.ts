/** What a segment knows of one stream. */
export interface StreamMark {
  /** Lowest and highest LSN of its records here. */
  low: number;
  high: number;
  /** Bytes of its records here with their headers, before compression; 0 where a file of the first version does not say. */
  bytes: number;
}

/**
 * Which streams have records in a segment, and the lowest and highest LSN of each: what decides whether a segment can
 * be released, whether a reader of one stream can skip it, and what it would cost to write a stream's records again.
 *
 * The last stream seen is kept beside the map: neighbouring records mostly share their stream.
 */
export class StreamMarks {
  readonly #marks = new Map<number, StreamMark>();
  #lastStream = -1;
  #last: StreamMark = { low: 0, high: 0, bytes: 0 };

  /** Number of streams. */
  get size(): number {
    return this.#marks.size;
  }

  /** Notes a record of `bytes`. LSNs come in rising order. */
  note(stream: number, lsn: number, bytes: number): void {
    if (stream === this.#lastStream) {
      this.#last.high = lsn;
      this.#last.bytes += bytes;
      return;
    }
    let mark = this.#marks.get(stream);
    if (mark === undefined) {
      mark = { low: lsn, high: lsn, bytes };
      this.#marks.set(stream, mark);
    } else {
      mark.high = lsn;
      mark.bytes += bytes;
    }
    this.#lastStream = stream;
    this.#last = mark;
  }

  /** Sets a stream's marks, as a footer states them. */
  set(stream: number, mark: Readonly<StreamMark>): void {
    this.#marks.set(stream, { ...mark });
    this.#lastStream = -1;
  }

  /** The highest LSN of a stream, or 0 where it has no record here. */
  highest(stream: number): number {
    return this.#marks.get(stream)?.high ?? 0;
  }

  /** Every stream with its marks, by rising stream. */
  entries(): readonly ({ readonly stream: number } & Readonly<StreamMark>)[] {
    const list = [...this.#marks].map(([stream, mark]) => ({ stream, ...mark }));
    return list.sort((a, b) => a.stream - b.stream);
  }

  /** Whether `test` holds for every stream; stops at the first that fails. */
  every(test: (stream: number, high: number) => boolean): boolean {
    for (const [stream, mark] of this.#marks) {
      if (!test(stream, mark.high)) return false;
    }
    return true;
  }
}
