/**
 * The tree: a B+-tree over slotted pages. Leaves hold keys with their positions, inner pages separators with children;
 * there are no links between leaves (a cursor keeps the way from the root instead), so that any page can be moved by
 * changing the one place that names it.
 *
 * Separators are the shortest keys that separate (Bayer and Unterauer, "Prefix B-trees", 1977). The two separators
 * around a page, its *fences*, bound every key that may come into it; what they have in common is the page's prefix.
 */
import { EntryRun } from './entry-run.js';
import { readKey, searchPage } from './page-keys.js';
import { createChunk, PagePool } from './page-pool.js';
import { POSITION_BYTES } from './position-codec.js';
import { SideTable } from './side-table.js';
import { childAt, entryCount, formatPage, type LongKeys, MAX_PREFIX_BYTES, pageLevel } from './slotted-page.js';
import type { TreePath } from './tree-path.js';

/** What an object and its table entry cost beside their contents, about. */
const OBJECT_BYTES = 112;
const NO_KEY = new Uint8Array(0);

/** The tree's state and the way down. What changes it is in `tree-insert.ts` and `tree-remove.ts`. */
export class KeyTree {
  readonly pool: PagePool;
  readonly longKeys: LongKeys = new SideTable((key) => key.length + OBJECT_BYTES);
  readonly run: EntryRun;
  /** The payload of the entry to be inserted next. */
  readonly payload = createChunk(POSITION_BYTES);
  root: number;
  /** Keys in the tree. */
  size = 0;
  /** Changes whenever a key comes or goes, so that cursors know that their way is void. */
  version = 0;
  /** Changes whenever a page is split, joined, evened out or moved, so that ways through the tree are void. */
  shape = 0;

  constructor(pageBytes: number, chunkBytes: number) {
    this.pool = new PagePool(pageBytes, chunkBytes);
    this.run = new EntryRun(pageBytes, this.longKeys);
    this.root = this.pool.allocate();
    formatPage(this.pool.chunkOf(this.root), this.pool.baseOf(this.root), pageBytes, 0, NO_KEY, 0);
  }

  /** Bytes held: pages in use, long keys. */
  get bytes(): number {
    return this.pool.count * this.pool.pageBytes + this.longKeys.bytes;
  }

  /** Fills `path` with the way to the leaf where `key` belongs; returns as `searchPage` does for that leaf. */
  descend(key: Uint8Array, path: TreePath): number {
    const { pool, longKeys } = this;
    let page = this.root;
    for (let depth = 0; ; depth += 1) {
      const chunk = pool.chunkOf(page);
      const base = pool.baseOf(page);
      pool.touch(chunk, base);
      const found = searchPage(chunk, base, key, longKeys);
      path.pages[depth] = page;
      if (pageLevel(chunk, base) === 0) {
        path.depth = depth;
        return found;
      }
      const index = found >= 0 ? found : -2 - found;
      path.indexes[depth] = index;
      page = childAt(chunk, base, index);
    }
  }

  /** The least key that may lie under child `index` of the inner page at `depth`; undefined = no bound. */
  lowerFence(path: TreePath, depth: number, index: number): Uint8Array | undefined {
    if (depth < 0) return undefined;
    if (index < 0) return this.lowerFence(path, depth - 1, depth > 0 ? path.index(depth - 1) : 0);
    return this.keyAt(path.page(depth), index);
  }

  /** The least key above all that may lie under child `index` of the inner page at `depth`; undefined = no bound. */
  upperFence(path: TreePath, depth: number, index: number): Uint8Array | undefined {
    if (depth < 0) return undefined;
    const page = path.page(depth);
    if (index + 1 >= entryCount(this.pool.chunkOf(page), this.pool.baseOf(page))) {
      return this.upperFence(path, depth - 1, depth > 0 ? path.index(depth - 1) : 0);
    }
    return this.keyAt(page, index + 1);
  }

  /** The key of entry `index` of `page`, a copy. */
  keyAt(page: number, index: number): Uint8Array {
    return readKey(this.pool.chunkOf(page), this.pool.baseOf(page), index, this.longKeys);
  }
}

/** Bytes that `lower` and `upper` have in common from the beginning, as far as a page can keep them. */
export function commonPrefixBytes(lower: Uint8Array | undefined, upper: Uint8Array | undefined): number {
  if (lower === undefined || upper === undefined) return 0;
  return Math.min(matchingBytes(lower, upper), MAX_PREFIX_BYTES);
}

/** The shortest key above `left` that is not above `right`, where left < right. */
export function shortestSeparator(left: Uint8Array, right: Uint8Array): Uint8Array {
  return new Uint8Array(right.subarray(0, matchingBytes(left, right) + 1));
}

/** Bytewise order of two keys: negative, 0 or positive. */
export function orderOf(a: Uint8Array, b: Uint8Array): number {
  const at = matchingBytes(a, b);
  if (at === a.length || at === b.length) return a.length - b.length;
  return (a[at] as number) - (b[at] as number);
}

function matchingBytes(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length);
  let count = 0;
  while (count < most && a[count] === b[count]) count += 1;
  return count;
}
