import type { KeydirCursor, KeydirPosition } from '../keydir.js';
import type { KeyTree } from './key-tree.js';
import { keyBytesAt, readKeyInto } from './page-keys.js';
import { readPosition, type WidePositions } from './position-codec.js';
import { childAt, entryCount, pageLevel, payloadAt } from './slotted-page.js';
import { TreePath } from './tree-path.js';

const NO_KEY = new Uint8Array(0);
/** A version that no tree has: the way must be found anew. */
const NO_VERSION = -1;

/**
 * A cursor that keeps its way from the root and a copy of the key it stands on. While no key came or went it steps
 * along the way; afterwards it seeks its key anew.
 */
export class TreeCursor implements KeydirCursor {
  readonly #tree: KeyTree;
  readonly #wide: WidePositions;
  readonly #path = new TreePath();
  #index = 0;
  #version = NO_VERSION;
  #placed = false;
  #keyBuffer = new Uint8Array(64);
  #keyBytes = 0;

  constructor(tree: KeyTree, wide: WidePositions) {
    this.#tree = tree;
    this.#wide = wide;
  }

  seek(key: Uint8Array = NO_KEY): boolean {
    const found = this.#tree.descend(key, this.#path);
    this.#index = found >= 0 ? found : -1 - found;
    this.#placed = this.#settleForwards();
    return this.#placed;
  }

  seekBefore(key?: Uint8Array): boolean {
    if (key === undefined) this.#descendToLast(0, this.#tree.root);
    else {
      const found = this.#tree.descend(key, this.#path);
      this.#index = (found >= 0 ? found : -1 - found) - 1;
    }
    this.#placed = this.#settleBackwards();
    return this.#placed;
  }

  next(): boolean {
    if (!this.#placed) return false;
    this.#index = this.#version === this.#tree.version ? this.#index + 1 : this.#find(1);
    return this.#settleForwards();
  }

  previous(): boolean {
    if (!this.#placed) return false;
    this.#index = this.#version === this.#tree.version ? this.#index - 1 : this.#find(0) - 1;
    return this.#settleBackwards();
  }

  key(): Uint8Array {
    this.#checkPlaced();
    return this.#keyBuffer.slice(0, this.#keyBytes);
  }

  get keyBuffer(): Uint8Array {
    return this.#keyBuffer;
  }

  get keyBytes(): number {
    return this.#keyBytes;
  }

  position(out: KeydirPosition): boolean {
    this.#checkPlaced();
    const tree = this.#tree;
    if (this.#version !== tree.version) {
      const found = tree.descend(this.#currentKey(), this.#path);
      if (found < 0) return false;
      this.#index = found;
      this.#version = tree.version;
    }
    const leaf = this.#path.page(this.#path.depth);
    const chunk = tree.pool.chunkOf(leaf);
    readPosition(chunk.view, payloadAt(chunk, tree.pool.baseOf(leaf), this.#index), out, this.#wide);
    return true;
  }

  #checkPlaced(): void {
    if (!this.#placed) throw new RangeError('the cursor stands on no key: seek one first');
  }

  #currentKey(): Uint8Array {
    return this.#keyBuffer.subarray(0, this.#keyBytes);
  }

  /** Descends to the cursor's key; returns its index plus `behind`, or the index it would have if it is gone. */
  #find(behind: number): number {
    const found = this.#tree.descend(this.#currentKey(), this.#path);
    return found >= 0 ? found + behind : -1 - found;
  }

  /** Moves on to the next leaf where the index lies behind the last entry of this one. */
  #settleForwards(): boolean {
    const { pool } = this.#tree;
    const path = this.#path;
    const leaf = path.page(path.depth);
    if (this.#index >= entryCount(pool.chunkOf(leaf), pool.baseOf(leaf))) {
      let depth = path.depth - 1;
      while (depth >= 0 && path.index(depth) + 1 >= this.#count(depth)) depth -= 1;
      if (depth < 0) return this.#stay();
      path.indexes[depth] = path.index(depth) + 1;
      this.#descendToFirst(depth);
    }
    return this.#land();
  }

  /** Moves back to the previous leaf where the index lies before the first entry of this one. */
  #settleBackwards(): boolean {
    const path = this.#path;
    if (this.#index < 0) {
      let depth = path.depth - 1;
      while (depth >= 0 && path.index(depth) < 0) depth -= 1;
      if (depth < 0) return this.#stay();
      path.indexes[depth] = path.index(depth) - 1;
      const { pool } = this.#tree;
      const page = path.page(depth);
      this.#descendToLast(depth + 1, childAt(pool.chunkOf(page), pool.baseOf(page), path.index(depth)));
    }
    return this.#land();
  }

  #count(depth: number): number {
    const page = this.#path.page(depth);
    return entryCount(this.#tree.pool.chunkOf(page), this.#tree.pool.baseOf(page));
  }

  /** From the child that the way takes at `depth` to its first key. */
  #descendToFirst(depth: number): void {
    const { pool } = this.#tree;
    const path = this.#path;
    for (let at = depth; at < path.depth; at += 1) {
      const page = path.page(at);
      path.pages[at + 1] = childAt(pool.chunkOf(page), pool.baseOf(page), path.index(at));
      path.indexes[at + 1] = -1;
    }
    this.#index = 0;
  }

  /** From `page`, which has `depth`, to its last key. */
  #descendToLast(depth: number, page: number): void {
    const { pool } = this.#tree;
    const path = this.#path;
    let at = depth;
    let current = page;
    for (;;) {
      const chunk = pool.chunkOf(current);
      const base = pool.baseOf(current);
      path.pages[at] = current;
      const last = entryCount(chunk, base) - 1;
      if (pageLevel(chunk, base) === 0) {
        path.depth = at;
        this.#index = last;
        return;
      }
      path.indexes[at] = last;
      current = childAt(chunk, base, last);
      at += 1;
    }
  }

  /** There is no further key: the cursor stays on the one it has. */
  #stay(): false {
    this.#version = NO_VERSION;
    return false;
  }

  /** Takes a copy of the key at the index. */
  #land(): boolean {
    const { pool, longKeys } = this.#tree;
    const leaf = this.#path.page(this.#path.depth);
    const chunk = pool.chunkOf(leaf);
    const base = pool.baseOf(leaf);
    const keyBytes = keyBytesAt(chunk, base, this.#index, longKeys);
    if (keyBytes > this.#keyBuffer.length) this.#keyBuffer = new Uint8Array(keyBytes * 2);
    this.#keyBytes = readKeyInto(chunk, base, this.#index, longKeys, this.#keyBuffer);
    this.#version = this.#tree.version;
    return true;
  }
}
