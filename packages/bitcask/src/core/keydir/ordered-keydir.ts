import type { Keydir, KeydirBuilder, KeydirCursor, KeydirOptions, KeydirPosition } from '../keydir.js';
import { KeyTree } from './key-tree.js';
import { NearLeaf } from './near-leaf.js';
import { PackedTree } from './packed-tree.js';
import type { Chunk } from './page-pool.js';
import { checkPosition, readPosition, releasePosition, type WidePositions, writePosition } from './position-codec.js';
import { SideTable } from './side-table.js';
import { payloadAt } from './slotted-page.js';
import { TreeCursor } from './tree-cursor.js';
import { insertIntoPage } from './tree-insert.js';
import { TreePath } from './tree-path.js';
import { removeFromLeaf } from './tree-remove.js';

/** Bytes of a page where nothing else is asked for. */
export const DEFAULT_PAGE_BYTES = 4096;
const DEFAULT_CHUNK_BYTES = 2 ** 20;
/** What a position costs as an object in a side table, about. */
const WIDE_POSITION_BYTES = 72;

/** The key directory as a B+-tree of pages outside of the V8 heap; see ADR 0006 for the choice. */
export class OrderedKeydir implements Keydir {
  /** For the checker and for cursors. */
  readonly tree: KeyTree;
  /** For the checker: positions that do not fit into a leaf. */
  readonly wide: WidePositions = new SideTable(() => WIDE_POSITION_BYTES);
  readonly #path = new TreePath();
  readonly #nearLeaf: NearLeaf;

  constructor(options: KeydirOptions) {
    this.tree = new KeyTree(options.pageBytes ?? DEFAULT_PAGE_BYTES, options.chunkBytes ?? DEFAULT_CHUNK_BYTES);
    this.#nearLeaf = new NearLeaf(this.tree);
  }

  get size(): number {
    return this.tree.size;
  }

  get bytes(): number {
    return this.tree.bytes + this.wide.bytes;
  }

  get(key: Uint8Array, out: KeydirPosition): boolean {
    const path = this.#path;
    const found = this.tree.descend(key, path);
    if (found < 0) return false;
    const { pool } = this.tree;
    const leaf = path.page(path.depth);
    const chunk = pool.chunkOf(leaf);
    readPosition(chunk.view, payloadAt(chunk, pool.baseOf(leaf), found), out, this.wide);
    return true;
  }

  set(key: Uint8Array, position: KeydirPosition, previous?: KeydirPosition): boolean {
    checkPosition(position);
    const { tree, wide } = this;
    const { path } = this.#nearLeaf;
    const found = this.#nearLeaf.descend(key);
    if (found >= 0) {
      const leaf = path.page(path.depth);
      const { view, at } = this.#place(leaf, found);
      if (previous !== undefined) readPosition(view, at, previous, wide);
      releasePosition(view, at, wide);
      writePosition(view, at, position, wide);
      return true;
    }
    writePosition(tree.payload.view, 0, position, wide);
    insertIntoPage(tree, path, path.depth, -1 - found, key);
    tree.size += 1;
    tree.version += 1;
    return false;
  }

  delete(key: Uint8Array, previous?: KeydirPosition): boolean {
    const { tree, wide } = this;
    const path = this.#path;
    const found = tree.descend(key, path);
    if (found < 0) return false;
    const { view, at } = this.#place(path.page(path.depth), found);
    if (previous !== undefined) readPosition(view, at, previous, wide);
    releasePosition(view, at, wide);
    removeFromLeaf(tree, path, found);
    tree.size -= 1;
    tree.version += 1;
    return true;
  }

  cursor(): KeydirCursor {
    return new TreeCursor(this.tree, this.wide);
  }

  #place(leaf: number, index: number): { view: DataView; at: number } {
    const { pool } = this.tree;
    const chunk = pool.chunkOf(leaf);
    return { view: chunk.view, at: payloadAt(chunk, pool.baseOf(leaf), index) };
  }
}

/** Fills a new keydir with keys in rising order. */
export class PackedKeydir implements KeydirBuilder {
  readonly #keydir: OrderedKeydir;
  readonly #packed: PackedTree;

  constructor(options: KeydirOptions) {
    this.#keydir = new OrderedKeydir(options);
    const { tree, wide } = this.#keydir;
    const { pool, longKeys } = tree;
    let taken = 0;
    let chunk: Chunk = pool.chunkOf(tree.root);
    let base = 0;
    this.#packed = new PackedTree({
      pageBytes: pool.pageBytes,
      longKeys,
      wide,
      take: () => {
        // A new tree has its first page already.
        const page = taken === 0 ? tree.root : pool.allocate();
        taken += 1;
        chunk = pool.chunkOf(page);
        base = pool.baseOf(page);
        return page;
      },
      get chunk() {
        return chunk;
      },
      get base() {
        return base;
      },
    });
  }

  add(key: Uint8Array, keyBytes: number, position: KeydirPosition): void {
    checkPosition(position);
    this.#packed.add(key, keyBytes, position);
  }

  finish(): Keydir {
    const { tree } = this.#keydir;
    tree.root = this.#packed.finish();
    tree.size = this.#packed.size;
    return this.#keydir;
  }
}
