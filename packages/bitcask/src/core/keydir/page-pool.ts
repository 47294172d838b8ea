/**
 * Pages of one size, numbered from 0 without gaps, in chunks that are allocated one after the other.
 *
 * Growing never copies: a new chunk is one allocation that the kernel fills lazily. Shrinking leaves no holes either,
 * because the tree moves its highest page into a page it gave up (see `KeyTree.release`), so that there is no free
 * list, and what was freed goes back to the system chunk by chunk.
 */
import { invariant } from '@shanghai/env';

/** One allocation. Two views of the same bytes: the array moves ranges, the view reads unaligned words. */
export interface Chunk {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** A chunk of its own, for scratch pages. */
export function createChunk(chunkBytes: number): Chunk {
  const buffer = new ArrayBuffer(chunkBytes);
  return { bytes: new Uint8Array(buffer), view: new DataView(buffer) };
}

/**
 * Bytes left free at the beginning of a chunk. A large allocation begins 16 bytes behind a page of the operating system
 * (malloc's own header), so this sets our pages on its pages and cache lines. Where it does not, nothing is lost.
 */
const ALIGNMENT_BYTES = 4096 - 16;
/** How far into a page `touch` reads: as far as the directory of a usual leaf goes. */
const TOUCHED_BYTES = 512;

/** The pages of one tree. */
export class PagePool {
  readonly pageBytes: number;
  readonly #pageShift: number;
  readonly #chunkShift: number;
  readonly #chunkMask: number;
  readonly #chunks: Chunk[] = [];
  #count = 0;
  /** Keeps the engine from dropping the reads of `touch`. */
  touched = 0;

  /** Both powers of two; `pageBytes` in [512, 32768], `chunkBytes` a multiple of it, at most 2^30. */
  constructor(pageBytes: number, chunkBytes: number) {
    checkPowerOfTwo('pageBytes', pageBytes, 512, 32768);
    checkPowerOfTwo('chunkBytes', chunkBytes, pageBytes, 2 ** 30);
    this.pageBytes = pageBytes;
    this.#pageShift = Math.log2(pageBytes);
    this.#chunkShift = Math.log2(chunkBytes / pageBytes);
    this.#chunkMask = chunkBytes / pageBytes - 1;
  }

  /** Pages in use. */
  get count(): number {
    return this.#count;
  }

  /** Chunks allocated. */
  get chunkCount(): number {
    return this.#chunks.length;
  }

  /** The chunk that holds `page`. Valid until the page is released. */
  chunkOf(page: number): Chunk {
    return this.#chunks[page >>> this.#chunkShift] as Chunk;
  }

  /** Where `page` begins in its chunk, in bytes. */
  baseOf(page: number): number {
    return ((page & this.#chunkMask) << this.#pageShift) + ALIGNMENT_BYTES;
  }

  /** Whether the page behind `page` lies behind it in memory too. */
  hasRoomBehind(page: number): boolean {
    return (page & this.#chunkMask) !== this.#chunkMask;
  }

  /**
   * Reads one byte of each of the first cache lines of a page. They do not depend on each other, so the processor
   * fetches them together, while a binary search would wait for one after the other (measured in ADR 0006).
   */
  touch(chunk: Chunk, base: number): void {
    const { bytes } = chunk;
    let touched = 0;
    for (let at = base; at < base + TOUCHED_BYTES; at += 64) touched ^= bytes[at] as number;
    this.touched = touched;
  }

  /** Takes the next page into use; its bytes are arbitrary. */
  allocate(): number {
    const page = this.#count;
    if (page >>> this.#chunkShift === this.#chunks.length) {
      this.#chunks.push(createChunk(((this.#chunkMask + 1) << this.#pageShift) + ALIGNMENT_BYTES + 16));
    }
    this.#count += 1;
    return page;
  }

  /** Gives up the highest page. One empty chunk is kept, so that a size that swings around a border does not thrash. */
  releaseHighest(): void {
    invariant(this.#count > 0, 'page pool is empty');
    this.#count -= 1;
    const chunksNeeded = (this.#count + this.#chunkMask) >>> this.#chunkShift;
    if (this.#chunks.length > chunksNeeded + 1) this.#chunks.pop();
  }

  /** Copies the bytes of page `from` over page `to`. */
  copy(from: number, to: number): void {
    const source = this.baseOf(from);
    const bytes = this.chunkOf(from).bytes.subarray(source, source + this.pageBytes);
    this.chunkOf(to).bytes.set(bytes, this.baseOf(to));
  }
}

function checkPowerOfTwo(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(Math.log2(value)) && value >= least && value <= most) return;
  throw new RangeError(`${name} ${value} is not a power of two in [${least}, ${most}]`);
}
