/** Deepest tree that is possible: an inner page has seven children at least when it splits, and pages are 2^32 at most. */
const MAX_DEPTH = 24;

/**
 * The way from the root down to a leaf: the page at every depth, and which of its children was taken (the index of the
 * entry, -1 for the leftmost). Filled anew by every descent; valid until the tree changes.
 */
export class TreePath {
  readonly pages = new Uint32Array(MAX_DEPTH);
  readonly indexes = new Int32Array(MAX_DEPTH);
  /** Depth of the leaf; the root has depth 0. */
  depth = 0;

  page(depth: number): number {
    return this.pages[depth] as number;
  }

  index(depth: number): number {
    return this.indexes[depth] as number;
  }
}
