/**
 * Which record of the write-ahead log holds an entry: a place for each record, not for each entry. Places rise with the
 * indexes, for an entry is written behind those before it, or takes their place.
 */
export class EntryPlaces {
  readonly #firsts: number[] = [];
  readonly #lsns: number[] = [];
  #end = 0;

  /** Notes that a record holds the entries [first, last]; what was known from `first` on is gone. */
  note(first: number, last: number, lsn: number): void {
    this.cut(first);
    this.#firsts.push(first);
    this.#lsns.push(lsn);
    this.#end = last + 1;
  }

  /** Forgets the entries from `index` on. */
  cut(index: number): void {
    while (this.#firsts.length > 0 && (this.#firsts.at(-1) as number) >= index) {
      this.#firsts.pop();
      this.#lsns.pop();
    }
    this.#end = Math.min(this.#end, index);
  }

  /** Forgets the entries before `index`. */
  drop(index: number): void {
    let dropped = 0;
    while (dropped < this.#firsts.length && (this.#firsts[dropped + 1] ?? this.#end) <= index) dropped++;
    this.#firsts.splice(0, dropped);
    this.#lsns.splice(0, dropped);
  }

  clear(): void {
    this.cut(0);
  }

  /** The LSN of the record that holds an entry; `undefined` where none is known to. */
  lsnOf(index: number): number | undefined {
    if (index >= this.#end) return undefined;
    let low = 0;
    let high = this.#firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#firsts[middle] as number) <= index) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : this.#lsns[low - 1];
  }
}
