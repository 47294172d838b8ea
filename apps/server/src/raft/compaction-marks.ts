/** An applied entry and its record's place in the write-ahead log. */
export interface LogMark {
  readonly index: number;
  readonly term: number;
  readonly lsn: number;
}

const spacing = 64;

/** Sparse places of applied entries: one in 64, and the last. Enough to cut the log near any index, at no cost. */
export class CompactionMarks {
  readonly #marks: LogMark[] = [];
  #last: LogMark | undefined;

  /** Notes an applied entry; indexes rise. */
  add(mark: LogMark): void {
    const before = this.#marks.at(-1);
    if (before === undefined || mark.index - before.index >= spacing) this.#marks.push(mark);
    this.#last = mark;
  }

  /** The best place at or below `index`, taken together with those before it; `undefined` where there is none. */
  take(index: number): LogMark | undefined {
    if (this.#last !== undefined && this.#last.index <= index) {
      this.#marks.length = 0;
      return this.#last;
    }
    let count = 0;
    while (count < this.#marks.length && (this.#marks[count] as LogMark).index <= index) count++;
    return this.#marks.splice(0, count).at(-1);
  }
}
