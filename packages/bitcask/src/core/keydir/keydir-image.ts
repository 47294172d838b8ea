import { invariant } from '@shanghai/env';
import type { Keydir, KeydirPosition } from '../keydir.js';
import { DEFAULT_PAGE_BYTES, OrderedKeydir } from './ordered-keydir.js';

/**
 * A keydir that is put together from pages as they lay in another one's memory. Pages are read straight into the
 * memory that `room` gives, in the order of their numbers; side tables are filled in the order of theirs. What the bytes say is
 * trusted: the caller has checked them.
 */
export class KeydirImage {
  /** The only page size that can be taken over. */
  static readonly pageBytes = DEFAULT_PAGE_BYTES;
  readonly #keydir = new OrderedKeydir({});
  #pages = 0;

  get pages(): number {
    return this.#pages;
  }

  get longKeys(): number {
    return this.#keydir.tree.longKeys.size;
  }

  get widePositions(): number {
    return this.#keydir.wide.size;
  }

  /** Memory for the next pages, at most `pages` of them and at least one, to be filled by the caller. */
  room(pages: number): Uint8Array {
    const { pool, root } = this.#keydir.tree;
    const take = () => {
      // A new tree has its first page already.
      const page = this.#pages === 0 ? root : pool.allocate();
      this.#pages += 1;
      return page;
    };
    const first = take();
    const { bytes } = pool.chunkOf(first);
    const from = pool.baseOf(first);
    let to = from + pool.pageBytes;
    for (let more = pages - 1; more > 0 && pool.hasRoomBehind(this.#pages - 1); more -= 1) {
      take();
      to += pool.pageBytes;
    }
    return bytes.subarray(from, to);
  }

  /** The next long key; kept, not copied. */
  addLongKey(key: Uint8Array): void {
    this.#keydir.tree.longKeys.add(key);
  }

  /** The next wide position; kept, not copied. */
  addWidePosition(position: KeydirPosition): void {
    this.#keydir.wide.add(position);
  }

  /** The keydir; nothing may be added any more. */
  finish(root: number, keys: number): Keydir {
    invariant(root < this.#pages, `page ${root} of ${this.#pages} cannot be the root`);
    this.#keydir.tree.root = root;
    this.#keydir.tree.size = keys;
    return this.#keydir;
  }
}
