import type { IndexLoader } from './index-loader.js';
import { createKeydirBuilder, type KeydirPosition } from './keydir.js';
import { emptyPosition } from './snapshot-cursor.js';
import type { StoreIndex } from './store-index.js';

/**
 * Fills an index that has no keys yet from entries in the order of keys: a key that comes several times, from several
 * segments, comes so in a row, and the highest sequence wins. Nothing is searched; the key directory is built page by
 * page. Tombstones are handed to the general loader, which remembers them for what is loaded afterwards.
 */
export class SortedLoader {
  readonly #index: StoreIndex;
  readonly #loader: IndexLoader;
  readonly #builder = createKeydirBuilder();
  #key = new Uint8Array(256);
  #keyBytes = 0;
  /** The newest entry of the key that is at hand. */
  readonly #newest: KeydirPosition = emptyPosition();
  #tombstone = false;
  #standing = false;

  constructor(index: StoreIndex, loader: IndexLoader) {
    this.#index = index;
    this.#loader = loader;
  }

  /** Takes an entry whose key is `bytes[start, start + keyBytes)`, copied; no key may be below the one before. */
  add(bytes: Uint8Array, start: number, keyBytes: number, position: KeydirPosition, tombstone: boolean): void {
    if (this.#standing && this.#isSame(bytes, start, keyBytes)) {
      if (position.sequence <= this.#newest.sequence) return;
    } else {
      this.#settle();
      if (this.#key.length < keyBytes) this.#key = new Uint8Array(keyBytes * 2);
      const key = this.#key;
      for (let i = 0; i < keyBytes; i++) key[i] = bytes[start + i] as number;
      this.#keyBytes = keyBytes;
      this.#standing = true;
    }
    const newest = this.#newest;
    newest.fileId = position.fileId;
    newest.offset = position.offset;
    newest.recordBytes = position.recordBytes;
    newest.sequence = position.sequence;
    newest.expires = position.expires;
    this.#tombstone = tombstone;
  }

  /** Puts what was built into the index. */
  finish(): void {
    this.#settle();
    this.#index.adopt(this.#builder.finish());
  }

  #settle(): void {
    if (!this.#standing) return;
    this.#standing = false;
    const newest = this.#newest;
    if (this.#tombstone) {
      this.#loader.tombstone(this.#key.subarray(0, this.#keyBytes), newest);
      return;
    }
    this.#builder.add(this.#key, this.#keyBytes, newest);
    this.#index.countKey(this.#key, 1);
    this.#index.segment(newest.fileId).liveBytes += newest.recordBytes;
  }

  /** Most keys differ in their last bytes first. */
  #isSame(bytes: Uint8Array, start: number, keyBytes: number): boolean {
    if (keyBytes !== this.#keyBytes) return false;
    const key = this.#key;
    for (let i = keyBytes - 1; i >= 0; i--) if (key[i] !== bytes[start + i]) return false;
    return true;
  }
}
