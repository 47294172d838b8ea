import { type KeyTree, orderOf } from './key-tree.js';
import { compareEntry, searchPage } from './page-keys.js';
import { entryCount } from './slotted-page.js';
import { TreePath } from './tree-path.js';

/** No page has this number. */
const NO_PAGE = -1;

/**
 * The leaf where the last keys went. Loading sorted keys (hint files are) descends from the root once or twice a leaf
 * instead of once a key: when two keys in a row met the same leaf, its fences are read, and further keys between them
 * go there straight away. Random keys pay a comparison of two numbers.
 */
export class NearLeaf {
  /** The way to the leaf where the last key went. */
  readonly path = new TreePath();
  readonly #tree: KeyTree;
  #leaf = NO_PAGE;
  #shape = 0;
  #fenced = false;
  #lower: Uint8Array | undefined;
  #upper: Uint8Array | undefined;

  constructor(tree: KeyTree) {
    this.#tree = tree;
  }

  /** Fills `path` with the way to the leaf where `key` belongs; returns as `searchPage` does for that leaf. */
  descend(key: Uint8Array): number {
    const tree = this.#tree;
    const { path } = this;
    const isCurrent = this.#shape === tree.shape;
    if (isCurrent && this.#fenced && this.#isBetweenFences(key)) return this.#search(key);
    const found = tree.descend(key, path);
    const leaf = path.page(path.depth);
    this.#fenced = isCurrent && leaf === this.#leaf;
    if (this.#fenced) {
      const index = path.depth > 0 ? path.index(path.depth - 1) : 0;
      this.#lower = tree.lowerFence(path, path.depth - 1, index);
      this.#upper = tree.upperFence(path, path.depth - 1, index);
    }
    this.#leaf = leaf;
    this.#shape = tree.shape;
    return found;
  }

  #isBetweenFences(key: Uint8Array): boolean {
    if (this.#lower !== undefined && orderOf(key, this.#lower) < 0) return false;
    return this.#upper === undefined || orderOf(key, this.#upper) < 0;
  }

  /** The end of the leaf first: that is where ascending keys go. */
  #search(key: Uint8Array): number {
    const { pool, longKeys } = this.#tree;
    const chunk = pool.chunkOf(this.#leaf);
    const base = pool.baseOf(this.#leaf);
    const count = entryCount(chunk, base);
    if (count > 0 && compareEntry(chunk, base, count - 1, key, longKeys) < 0) return -1 - count;
    return searchPage(chunk, base, key, longKeys);
  }
}
