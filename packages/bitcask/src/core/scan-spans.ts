import type { ScanRows } from './scan-rows.js';

/**
 * How a batch of rows is read: sorted by place, records that lie near each other with one call of the disk.
 *
 * A span that is mostly records is kept, and its rows are views of it: so it goes in a store that a merge has put in
 * key order. One that is mostly gaps is read into a buffer that is used again, and its records are copied out.
 */

/** A call of the disk costs as much as reading so many bytes that nobody wants (page cache; a real disk more). */
const gapBytes = 16_384;
/** A call reads at most this, or one record. */
const spanBytes = 262_144;
/** Kept bytes are cut from slabs of this size; a larger span has a buffer of its own. */
const slabBytes = 65_536;
const largestPiece = slabBytes / 4;
/** Row and offset share a number with the rank of the file: so many bits are left for each. */
const rowBits = 15;
const mostRanks = 2 ** 7;

/** One call of the disk. */
export interface ScanSpan {
  readonly fileId: number;
  readonly offset: number;
  readonly bytes: number;
  /** The rows it holds, by place. */
  readonly rows: Uint32Array;
  /** Where it is read to, or `undefined` for a buffer to be used again, from which records are copied to their blocks. */
  readonly target: Uint8Array | undefined;
}

/** The most rows of a batch. */
export const mostRows = 2 ** rowBits;

/** The spans that read `wanted` rows; gives each row its block. */
export function planSpans(rows: ScanRows, wanted: Uint32Array): ScanSpan[] {
  const order = byPlace(rows, wanted);
  const slabs = new Slabs();
  const spans: ScanSpan[] = [];
  const copied = new Uint8Array(rows.count);
  for (let from = 0; from < order.length; ) {
    const first = order[from] as number;
    const fileId = rows.fileId(first);
    const offset = rows.offset(first);
    let end = offset + rows.bytesOf(first);
    let useful = rows.bytesOf(first);
    let to = from + 1;
    for (; to < order.length; to++) {
      const row = order[to] as number;
      const next = rows.offset(row);
      const nextEnd = next + rows.bytesOf(row);
      if (rows.fileId(row) !== fileId || next > end + gapBytes || nextEnd - offset > spanBytes) break;
      end = nextEnd;
      useful += rows.bytesOf(row);
    }
    const members = order.subarray(from, to);
    const bytes = end - offset;
    const kept = useful * 2 >= bytes;
    const target = kept ? slabs.place(bytes) : undefined;
    for (const row of members) {
      if (target === undefined) copied[row] = 1;
      else {
        rows.blocks[row] = target.block;
        rows.starts[row] = target.start + rows.offset(row) - offset;
      }
    }
    const into = target?.block.subarray(target.start, target.start + bytes);
    spans.push({ fileId, offset, bytes, rows: members, target: into });
    from = to;
  }
  // Copies get their places in the order of the rows: neighbours in the caller's hands share a slab.
  for (const row of wanted) {
    if (copied[row] === 0) continue;
    const place = slabs.place(rows.bytesOf(row));
    rows.blocks[row] = place.block;
    rows.starts[row] = place.start;
  }
  return spans;
}

/** Rows sorted by file and offset. In a merged store they are that already, forwards or backwards. */
function byPlace(rows: ScanRows, wanted: Uint32Array): Uint32Array {
  let ascending = true;
  let descending = true;
  for (let i = 1; i < wanted.length && (ascending || descending); i++) {
    if (comparePlaces(rows, wanted[i - 1] as number, wanted[i] as number) < 0) descending = false;
    else ascending = false;
  }
  if (ascending) return wanted.slice();
  if (descending) return wanted.slice().reverse();
  const ranks = new Map<number, number>();
  for (const row of wanted) if (!ranks.has(rows.fileId(row))) ranks.set(rows.fileId(row), ranks.size);
  if (ranks.size > mostRanks) return wanted.slice().sort((a, b) => comparePlaces(rows, a, b));
  // Numbers sort four times as fast as rows that a function compares.
  const keys = new Float64Array(wanted.length);
  for (let i = 0; i < keys.length; i++) {
    const row = wanted[i] as number;
    keys[i] = ((ranks.get(rows.fileId(row)) as number) * 2 ** 31 + rows.offset(row)) * mostRows + row;
  }
  keys.sort();
  return Uint32Array.from(keys, (key) => key % mostRows);
}

function comparePlaces(rows: ScanRows, a: number, b: number): number {
  return rows.fileId(a) === rows.fileId(b) ? rows.offset(a) - rows.offset(b) : rows.fileId(a) - rows.fileId(b);
}

/** Gives out places of slabs, one behind the other. */
class Slabs {
  #slab: Uint8Array | undefined;
  #used = 0;

  place(bytes: number): { readonly block: Uint8Array; readonly start: number } {
    if (bytes > largestPiece) return { block: new Uint8Array(bytes), start: 0 };
    if (this.#slab === undefined || this.#used + bytes > slabBytes) {
      this.#slab = new Uint8Array(slabBytes);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += bytes;
    return { block: this.#slab, start };
  }
}
