import { invariant } from '@shanghai/env';
import type { Keydir } from '../keydir.js';
import { commonPrefixBytes, type KeyTree } from './key-tree.js';
import { OrderedKeydir } from './ordered-keydir.js';
import {
  childAt,
  contiguousBytes,
  entryCount,
  isLongKey,
  longKeyThreshold,
  pageLevel,
  payloadAt,
  prefixBytes,
  prefixOf,
  recordBytesAt,
  usedBytes,
} from './slotted-page.js';

/** What a walk through a whole keydir found. */
export interface KeydirCensus {
  readonly keys: number;
  readonly leafPages: number;
  readonly innerPages: number;
  readonly levels: number;
  /** Share of the leaves' bytes that is in use, in [0, 1]. */
  readonly leafFill: number;
}

interface Walk {
  readonly tree: KeyTree;
  readonly seenPages: Set<number>;
  keys: number;
  leafPages: number;
  longKeys: number;
  widePositions: number;
  leafUsedBytes: number;
}

/**
 * Walks the whole tree and throws `InvariantError` where it contradicts itself: order, fences, prefixes, levels, room
 * in pages, pages lost or named twice, side tables, sizes. For tests; takes about a microsecond a key.
 */
export function checkKeydir(keydir: Keydir): KeydirCensus {
  invariant(keydir instanceof OrderedKeydir, 'only a keydir made by createKeydir can be checked');
  const { tree, wide } = keydir;
  const walk: Walk = {
    tree,
    seenPages: new Set(),
    keys: 0,
    leafPages: 0,
    longKeys: 0,
    widePositions: 0,
    leafUsedBytes: 0,
  };
  const { pool } = tree;
  const levels = pageLevel(pool.chunkOf(tree.root), pool.baseOf(tree.root)) + 1;
  checkPage(walk, tree.root, levels - 1, undefined, undefined);
  invariant(walk.seenPages.size === pool.count, `${pool.count - walk.seenPages.size} pages are named by no other`);
  invariant(walk.keys === keydir.size, `size says ${keydir.size} keys, the tree has ${walk.keys}`);
  invariant(walk.longKeys === tree.longKeys.size, 'long keys and their table differ');
  invariant(walk.widePositions === wide.size, 'wide positions and their table differ');
  return {
    keys: walk.keys,
    leafPages: walk.leafPages,
    innerPages: pool.count - walk.leafPages,
    levels,
    leafFill: walk.leafUsedBytes / (walk.leafPages * pool.pageBytes),
  };
}

function checkPage(
  walk: Walk,
  page: number,
  level: number,
  lower: Uint8Array | undefined,
  upper: Uint8Array | undefined,
): void {
  const { tree, seenPages } = walk;
  const { pool } = tree;
  invariant(page < pool.count && !seenPages.has(page), `page ${page} is named twice or not in the pool`);
  seenPages.add(page);
  const chunk = pool.chunkOf(page);
  const base = pool.baseOf(page);
  const count = entryCount(chunk, base);
  invariant(pageLevel(chunk, base) === level, `page ${page} has the wrong level`);
  invariant(count > 0 || page === tree.root, `page ${page} is empty`);
  invariant(contiguousBytes(chunk, base) >= 0, `the directory of page ${page} runs into its records`);
  const prefix = prefixOf(chunk, base);
  const fences = commonPrefixBytes(lower, upper);
  invariant(prefix.length <= fences, `the prefix of page ${page} is longer than its fences allow`);
  checkEntries(walk, page, lower, upper);
  if (level > 0) {
    for (let i = -1; i < count; i += 1) {
      const from = i < 0 ? lower : tree.keyAt(page, i);
      checkPage(walk, childAt(chunk, base, i), level - 1, from, i + 1 < count ? tree.keyAt(page, i + 1) : upper);
    }
    return;
  }
  walk.leafPages += 1;
  walk.keys += count;
  walk.leafUsedBytes += usedBytes(chunk, base, pool.pageBytes);
  for (let i = 0; i < count; i += 1) {
    if (chunk.view.getUint32(payloadAt(chunk, base, i), true) === 0) walk.widePositions += 1;
  }
}

function checkEntries(walk: Walk, page: number, lower: Uint8Array | undefined, upper: Uint8Array | undefined): void {
  const { tree } = walk;
  const { pool } = tree;
  const chunk = pool.chunkOf(page);
  const base = pool.baseOf(page);
  const count = entryCount(chunk, base);
  let recordBytes = 0;
  let before = lower;
  for (let i = 0; i < count; i += 1) {
    const key = tree.keyAt(page, i);
    // The lower fence itself is a key of the page only where there is nothing before it.
    const order = before === undefined ? -1 : Buffer.compare(before, key);
    invariant(order < 0 || (order === 0 && i === 0), `entry ${i} of page ${page} is out of order`);
    invariant(upper === undefined || Buffer.compare(key, upper) < 0, `entry ${i} of page ${page} is above its range`);
    invariant(
      isLongKey(chunk, base, i) === key.length > longKeyThreshold(pool.pageBytes),
      'long key in the wrong place',
    );
    if (isLongKey(chunk, base, i)) walk.longKeys += 1;
    recordBytes += recordBytesAt(chunk, base, i);
    before = key;
  }
  const counted = 16 + prefixBytes(chunk, base) + count * 6 + recordBytes;
  invariant(counted === usedBytes(chunk, base, pool.pageBytes), `the bytes of page ${page} do not add up`);
}
