/**
 * Inserting, and the splits it causes.
 *
 * A full page is split in the middle of its bytes, unless keys came into it in ascending order: then it is split where
 * the run stands, so that a sequential load leaves full pages behind (as InnoDB does with its insert direction).
 */
import { commonPrefixBytes, type KeyTree, shortestSeparator } from './key-tree.js';
import type { Chunk } from './page-pool.js';
import {
  ascendingRun,
  childAt,
  contiguousBytes,
  entryBytesFor,
  formatPage,
  HEADER_BYTES,
  insertEntry,
  pageLevel,
  prefixBytes,
  prefixOf,
  setChildAt,
  usedBytes,
} from './slotted-page.js';
import type { TreePath } from './tree-path.js';

/** From this many inserts in a row, each right behind the one before, we believe in an order. */
const RUN_LENGTH = 8;
const NO_KEY = new Uint8Array(0);

/**
 * Inserts `key`, whose payload lies in `tree.payload`, as entry `index` of the page that `path` has at `depth`; splits
 * this page and those above as needed. `path` is void afterwards.
 */
export function insertIntoPage(tree: KeyTree, path: TreePath, depth: number, index: number, key: Uint8Array): void {
  const page = path.page(depth);
  const { pageBytes } = tree.pool;
  const chunk = tree.pool.chunkOf(page);
  const base = tree.pool.baseOf(page);
  const needed = entryBytesFor(pageBytes, pageLevel(chunk, base), prefixBytes(chunk, base), key.length);
  if (contiguousBytes(chunk, base) < needed) {
    if (pageBytes - usedBytes(chunk, base, pageBytes) < needed) {
      split(tree, path, depth, index, key);
      return;
    }
    compact(tree, chunk, base);
  }
  insertEntry(chunk, base, pageBytes, index, key, key.length, tree.payload, tree.longKeys);
}

/** Writes the page anew without its dead bytes. */
function compact(tree: KeyTree, chunk: Chunk, base: number): void {
  const { run } = tree;
  const level = pageLevel(chunk, base);
  run.begin(level);
  run.pushEntries(0, 0, run.takePage(0, chunk, base));
  const prefix = prefixBytes(chunk, base);
  const leftmost = childAt(chunk, base, -1);
  run.write(0, run.count, { chunk, base, prefixKey: prefixOf(chunk, base), prefix, leftmost });
}

function split(tree: KeyTree, path: TreePath, depth: number, index: number, key: Uint8Array): void {
  const { pool, run } = tree;
  tree.shape += 1;
  const page = path.page(depth);
  const chunk = pool.chunkOf(page);
  const base = pool.baseOf(page);
  const level = pageLevel(chunk, base);
  const leftmost = childAt(chunk, base, -1);
  run.begin(level);
  const count = run.takePage(0, chunk, base);
  run.pushEntries(0, 0, index);
  run.pushFresh(key, tree.payload);
  run.pushEntries(0, index, count);
  // Under the old prefix both halves fit for certain.
  const oldPrefix = prefixBytes(chunk, base);
  const at = splitPoint(tree, index, ascendingRun(chunk, base, index) >= RUN_LENGTH, oldPrefix, level);

  const parentIndex = depth > 0 ? path.index(depth - 1) : -1;
  const lower = tree.lowerFence(path, depth - 1, parentIndex);
  const upper = tree.upperFence(path, depth - 1, parentIndex);
  const separator = separatorAt(tree, at, level);
  const right = pool.allocate();
  const rightFrom = level === 0 ? at : at + 1;
  const leftPrefix = run.tightestPrefix(0, at, commonPrefixBytes(lower, separator), [oldPrefix]);
  const rightPrefix = run.tightestPrefix(rightFrom, run.count, commonPrefixBytes(separator, upper), [oldPrefix]);
  run.write(0, at, { chunk, base, prefixKey: separator, prefix: leftPrefix, leftmost });
  run.write(rightFrom, run.count, {
    chunk: pool.chunkOf(right),
    base: pool.baseOf(right),
    prefixKey: separator,
    prefix: rightPrefix,
    leftmost: level === 0 ? 0 : run.child(at),
  });
  if (level > 0) run.release(at);
  tree.payload.view.setUint32(0, right, true);
  if (depth > 0) insertIntoPage(tree, path, depth - 1, parentIndex + 1, separator);
  else {
    growRoot(tree, level + 1);
    path.pages[0] = tree.root;
    insertIntoPage(tree, path, 0, 0, separator);
  }
}

/** Between leaves the shortest key that separates; of an inner page the key of entry `at`, which moves up. */
export function separatorAt(tree: KeyTree, at: number, level: number): Uint8Array {
  return level === 0 ? shortestSeparator(tree.run.key(at - 1), tree.run.key(at)) : tree.run.key(at);
}

/** Where the run is cut: entries before it go left; of an inner page the entry itself goes up. */
function splitPoint(tree: KeyTree, index: number, ascending: boolean, prefix: number, level: number): number {
  const { run } = tree;
  const last = level === 0 ? run.count - 1 : run.count - 2;
  const room = tree.pool.pageBytes - HEADER_BYTES - prefix;
  if (ascending && index >= last) return last;
  if (ascending && run.bytesWith(prefix, 0, index + 1) <= room) return index + 1;
  const half = run.bytesWith(prefix, 0, run.count) / 2;
  let bytes = 0;
  let at = 0;
  while (at < last && (at === 0 || bytes < half)) {
    bytes += run.entryBytesWith(prefix, at);
    at += 1;
  }
  return at;
}

/** Puts a new root above the old one, without entries yet. */
function growRoot(tree: KeyTree, level: number): void {
  const { pool } = tree;
  const root = pool.allocate();
  const chunk = pool.chunkOf(root);
  const base = pool.baseOf(root);
  formatPage(chunk, base, pool.pageBytes, level, NO_KEY, 0);
  setChildAt(chunk, base, -1, tree.root);
  tree.root = root;
}
