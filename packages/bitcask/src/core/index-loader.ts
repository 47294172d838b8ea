import { createKeydir, type KeydirPosition } from './keydir.js';
import { emptyPosition } from './snapshot-cursor.js';
import type { StoreIndex } from './store-index.js';

/**
 * Fills an index from segments in any order: of each key the highest sequence wins. A tombstone may be met before the
 * older record it deletes (merges mix the ages of segments), so tombstones are remembered until loading ends. Loading
 * the same record twice changes nothing.
 */
export class IndexLoader {
  readonly #index: StoreIndex;
  readonly #tombstones = createKeydir({ chunkBytes: 65_536 });
  readonly #previous = emptyPosition();

  constructor(index: StoreIndex) {
    this.#index = index;
  }

  put(key: Uint8Array, position: KeydirPosition): void {
    const previous = this.#previous;
    if (this.#tombstones.size > 0 && this.#tombstones.get(key, previous) && previous.sequence > position.sequence)
      return;
    const { keydir } = this.#index;
    if (keydir.set(key, position, previous)) {
      if (previous.sequence >= position.sequence) {
        keydir.set(key, previous);
        return;
      }
      this.#index.segment(previous.fileId).liveBytes -= previous.recordBytes;
    } else {
      this.#index.countKey(key, 1);
    }
    this.#index.segment(position.fileId).liveBytes += position.recordBytes;
  }

  /** `position` is the tombstone's own. */
  tombstone(key: Uint8Array, position: KeydirPosition): void {
    const previous = this.#previous;
    const { keydir } = this.#index;
    if (keydir.get(key, previous)) {
      if (previous.sequence > position.sequence) return;
      keydir.delete(key);
      this.#index.countKey(key, -1);
      this.#index.segment(previous.fileId).liveBytes -= previous.recordBytes;
    }
    if (this.#tombstones.get(key, previous) && previous.sequence > position.sequence) return;
    this.#tombstones.set(key, position);
  }
}
