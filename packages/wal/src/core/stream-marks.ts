/**
 * Which streams have records in a segment, and the lowest and highest LSN of each: what decides whether a segment can
 * be released, and whether a reader of one stream can skip it.
 *
 * The last stream seen is kept beside the map: neighbouring records mostly share their stream.
 */
export class StreamMarks {
  readonly #marks = new Map<number, { low: number; high: number }>();
  #lastStream = -1;
  #last: { low: number; high: number } = { low: 0, high: 0 };

  /** Number of streams. */
  get size(): number {
    return this.#marks.size;
  }

  /** Notes a record. LSNs come in rising order. */
  note(stream: number, lsn: number): void {
    if (stream === this.#lastStream) {
      this.#last.high = lsn;
      return;
    }
    let mark = this.#marks.get(stream);
    if (mark === undefined) {
      mark = { low: lsn, high: lsn };
      this.#marks.set(stream, mark);
    } else {
      mark.high = lsn;
    }
    this.#lastStream = stream;
    this.#last = mark;
  }

  /** Sets a stream's marks, as a footer states them. */
  set(stream: number, low: number, high: number): void {
    this.#marks.set(stream, { low, high });
    this.#lastStream = -1;
  }

  /** The highest LSN of a stream, or 0 where it has no record here. */
  highest(stream: number): number {
    return this.#marks.get(stream)?.high ?? 0;
  }

  /** Every stream with its marks, by rising stream. */
  entries(): readonly { readonly stream: number; readonly low: number; readonly high: number }[] {
    const list = [...this.#marks].map(([stream, { low, high }]) => ({ stream, low, high }));
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
