/**
 * Removing, and giving memory back.
 *
 * A page less than half full is joined with a neighbour under the same parent where both fit into three quarters of a
 * page, so that a few inserts do not split it again. A joined page has wider fences and perhaps a shorter prefix, so its
 * entries may grow; when that makes them too large the pages stay as they are, except that an empty one takes entries
 * from its neighbour: no page but a root leaf is ever empty.
 *
 * A page that is given up is filled with the highest page of the pool, whose parent is found through any key in it; so
 * pages stay dense and the pool shrinks from its end.
 */
import { invariant } from '@shanghai/env';
import { commonPrefixBytes, type KeyTree } from './key-tree.js';
import { searchPage } from './page-keys.js';
import {
  childAt,
  entryCount,
  HEADER_BYTES,
  pageLevel,
  prefixBytes,
  removeEntry,
  setChildAt,
  usedBytes,
} from './slotted-page.js';
import { insertIntoPage, separatorAt } from './tree-insert.js';
import type { TreePath } from './tree-path.js';

/** Removes entry `index` of the leaf at the end of `path`, which is void afterwards. */
export function removeFromLeaf(tree: KeyTree, path: TreePath, index: number): void {
  const leaf = path.page(path.depth);
  removeEntry(tree.pool.chunkOf(leaf), tree.pool.baseOf(leaf), index, tree.longKeys);
  const released: number[] = [];
  rebalance(tree, path, path.depth, released);
  released.sort((a, b) => b - a);
  for (const page of released) releasePage(tree, page);
}

/** Sees to it that the page at `depth` is not needlessly empty. Pages given up are added to `released`. */
function rebalance(tree: KeyTree, path: TreePath, depth: number, released: number[]): void {
  const { pool } = tree;
  const page = path.page(depth);
  const chunk = pool.chunkOf(page);
  const base = pool.baseOf(page);
  if (depth === 0) {
    if (entryCount(chunk, base) > 0 || pageLevel(chunk, base) === 0) return;
    tree.root = childAt(chunk, base, -1);
    released.push(page);
    return;
  }
  if (usedBytes(chunk, base, pool.pageBytes) >= pool.pageBytes / 2) return;
  const index = path.index(depth - 1);
  if (join(tree, path, depth - 1, index, released) || join(tree, path, depth - 1, index - 1, released)) return;
  if (entryCount(chunk, base) > 0) return;
  const parent = path.page(depth - 1);
  const isLast = index === entryCount(pool.chunkOf(parent), pool.baseOf(parent)) - 1;
  evenOut(tree, path, depth - 1, isLast ? index - 1 : index);
}

/** Joins children `index` and `index + 1` of the inner page at `depth`, if both are there and fit. */
function join(tree: KeyTree, path: TreePath, depth: number, index: number, released: number[]): boolean {
  const { pool, run } = tree;
  const parent = path.page(depth);
  const parentChunk = pool.chunkOf(parent);
  const parentBase = pool.baseOf(parent);
  if (index < -1 || index + 1 >= entryCount(parentChunk, parentBase)) return false;
  const left = childAt(parentChunk, parentBase, index);
  const right = childAt(parentChunk, parentBase, index + 1);
  const limit = pool.pageBytes * 0.75;
  const chunk = pool.chunkOf(left);
  const base = pool.baseOf(left);
  const rightUsed = usedBytes(pool.chunkOf(right), pool.baseOf(right), pool.pageBytes);
  if (usedBytes(chunk, base, pool.pageBytes) + rightUsed > limit) return false;

  takePair(tree, parent, index);
  const lower = tree.lowerFence(path, depth, index);
  const prefix = commonPrefixBytes(lower, tree.upperFence(path, depth, index + 1));
  if (HEADER_BYTES + prefix + run.bytesWith(prefix, 0, run.count) > limit) return false;
  const leftmost = childAt(chunk, base, -1);
  tree.shape += 1;
  run.write(0, run.count, { chunk, base, prefixKey: lower ?? new Uint8Array(0), prefix, leftmost });
  removeEntry(parentChunk, parentBase, index + 1, tree.longKeys);
  released.push(right);
  rebalance(tree, path, depth, released);
  return true;
}

/** Gathers the entries of children `index` and `index + 1` of `parent`, for inner ones with the separator between. */
function takePair(tree: KeyTree, parent: number, index: number): void {
  const { pool, run } = tree;
  const left = childAt(pool.chunkOf(parent), pool.baseOf(parent), index);
  const right = childAt(pool.chunkOf(parent), pool.baseOf(parent), index + 1);
  const rightChunk = pool.chunkOf(right);
  const rightBase = pool.baseOf(right);
  const level = pageLevel(rightChunk, rightBase);
  run.begin(level);
  run.pushEntries(0, 0, run.takePage(0, pool.chunkOf(left), pool.baseOf(left)));
  if (level > 0) run.pushFreshChild(tree.keyAt(parent, index + 1), childAt(rightChunk, rightBase, -1));
  run.pushEntries(1, 0, run.takePage(1, rightChunk, rightBase));
}

/** Shares the entries of children `index` and `index + 1` of the inner page at `depth`, one of which is empty. */
function evenOut(tree: KeyTree, path: TreePath, depth: number, index: number): void {
  const { pool, run } = tree;
  const parent = path.page(depth);
  const parentChunk = pool.chunkOf(parent);
  const parentBase = pool.baseOf(parent);
  const left = childAt(parentChunk, parentBase, index);
  const right = childAt(parentChunk, parentBase, index + 1);
  const leftChunk = pool.chunkOf(left);
  const leftBase = pool.baseOf(left);
  const level = pageLevel(leftChunk, leftBase);
  const leftIsEmpty = entryCount(leftChunk, leftBase) === 0;
  const leftmost = childAt(leftChunk, leftBase, -1);
  const lower = tree.lowerFence(path, depth, index);
  const upper = tree.upperFence(path, depth, index + 1);
  takePair(tree, parent, index);
  tree.shape += 1;

  // Under its old prefix what stays in the full page fits for certain, under the shortest one a single moved entry does.
  const prefixes = [
    commonPrefixBytes(lower, upper),
    prefixBytes(leftChunk, leftBase),
    prefixBytes(pool.chunkOf(right), pool.baseOf(right)),
  ];
  const skipped = level === 0 ? 0 : 1;
  for (let at = run.count >>> 1; ; at += leftIsEmpty ? -1 : 1) {
    invariant(at >= 1 && at + skipped < run.count, 'no way to share the entries of two pages');
    const separator = separatorAt(tree, at, level);
    const leftPrefix = run.tightestPrefix(0, at, commonPrefixBytes(lower, separator), prefixes);
    const rightPrefix = run.tightestPrefix(at + skipped, run.count, commonPrefixBytes(separator, upper), prefixes);
    if (!fits(tree, leftPrefix, 0, at) || !fits(tree, rightPrefix, at + skipped, run.count)) continue;
    const leftmostOfRight = level === 0 ? 0 : run.child(at);
    run.write(0, at, { chunk: leftChunk, base: leftBase, prefixKey: separator, prefix: leftPrefix, leftmost });
    run.write(at + skipped, run.count, {
      chunk: pool.chunkOf(right),
      base: pool.baseOf(right),
      prefixKey: separator,
      prefix: rightPrefix,
      leftmost: leftmostOfRight,
    });
    if (level > 0) run.release(at);
    removeEntry(parentChunk, parentBase, index + 1, tree.longKeys);
    tree.payload.view.setUint32(0, right, true);
    insertIntoPage(tree, path, depth, index + 1, separator);
    return;
  }
}

function fits(tree: KeyTree, prefix: number, from: number, to: number): boolean {
  return HEADER_BYTES + prefix + tree.run.bytesWith(prefix, from, to) <= tree.pool.pageBytes;
}

/** Gives `page`, which nothing names any more, back to the pool. */
function releasePage(tree: KeyTree, page: number): void {
  const { pool } = tree;
  const highest = pool.count - 1;
  if (page !== highest) {
    pool.copy(highest, page);
    if (tree.root === highest) tree.root = page;
    else renameChild(tree, highest, page);
  }
  pool.releaseHighest();
}

/** Makes the parent of page `from` name page `to` instead, which has the same contents. */
function renameChild(tree: KeyTree, from: number, to: number): void {
  const { pool } = tree;
  const key = tree.keyAt(to, 0);
  let page = tree.root;
  for (;;) {
    const chunk = pool.chunkOf(page);
    const base = pool.baseOf(page);
    invariant(pageLevel(chunk, base) > 0, `page ${from} is named by no other`);
    const found = searchPage(chunk, base, key, tree.longKeys);
    const index = found >= 0 ? found : -2 - found;
    const child = childAt(chunk, base, index);
    if (child === from) {
      setChildAt(chunk, base, index, to);
      return;
    }
    page = child;
  }
}
