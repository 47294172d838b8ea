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
  /** Numbers, not the last mark itself: what is given may hold an entry's command, which nothing here may keep alive. */
  #lastIndex = 0;
  #lastTerm = 0;
  #lastLsn = 0;

  /** Notes an applied entry; indexes rise. The mark is copied. */
  add({ index, term, lsn }: LogMark): void {
    const before = this.#marks.at(-1);
    if (before === undefined || index - before.index >= spacing) this.#marks.push({ index, term, lsn });
    this.#lastIndex = index;
    this.#lastTerm = term;
    this.#lastLsn = lsn;
  }

  /** The best place at or below `index`, taken together with those before it; `undefined` where there is none. */
  take(index: number): LogMark | undefined {
    if (this.#lastIndex > 0 && this.#lastIndex <= index) {
      this.#marks.length = 0;
      return { index: this.#lastIndex, term: this.#lastTerm, lsn: this.#lastLsn };
    }
    let count = 0;
    while (count < this.#marks.length && (this.#marks[count] as LogMark).index <= index) count++;
    return this.#marks.splice(0, count).at(-1);
  }
}
