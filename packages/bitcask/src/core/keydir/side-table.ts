import { invariant } from '@shanghai/env';

/**
 * Items too unusual for a page, held as ordinary objects and named by small numbers that pages can store. An id is
 * given back by `remove` and used again, so that the table never grows beyond the most items held at one time.
 */
export class SideTable<T extends object> {
  readonly #items: (T | undefined)[] = [];
  readonly #freeIds: number[] = [];
  readonly #bytesOf: (item: T) => number;
  #bytes = 0;

  /** `bytesOf` says what an item costs, for the account. */
  constructor(bytesOf: (item: T) => number) {
    this.#bytesOf = bytesOf;
  }

  /** Number of items held. */
  get size(): number {
    return this.#items.length - this.#freeIds.length;
  }

  /** Bytes of the items held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps `item` (not a copy) and returns its id, in [0, 2^32). */
  add(item: T): number {
    const id = this.#freeIds.pop() ?? this.#items.length;
    this.#items[id] = item;
    this.#bytes += this.#bytesOf(item);
    return id;
  }

  get(id: number): T {
    const item = this.#items[id];
    invariant(item !== undefined, `side table has no item ${id}`);
    return item;
  }

  /** Forgets the item and returns it. */
  remove(id: number): T {
    const item = this.get(id);
    this.#items[id] = undefined;
    this.#bytes -= this.#bytesOf(item);
    this.#freeIds.push(id);
    return item;
  }
}
