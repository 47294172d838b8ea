/**
 * Small buffers cut from larger ones. An array of its own costs half a microsecond (an allocation outside of the V8
 * heap and its finaliser), a view of a slab a twentieth of that; Node's `Buffer` does the same. The price: a small
 * value that is kept keeps its slab, 8 KiB, alive.
 */

const slabBytes = 8_192;
/** What is larger gets an array of its own. */
const largestPiece = slabBytes / 4;
/** Up to here V8 keeps an array on its heap, which is cheaper still. */
const heapBytes = 64;

/** Gives out buffers that nobody else has or will have: each byte of a slab is given out once. */
export class ByteSlab {
  #slab = new Uint8Array(slabBytes);
  #used = 0;

  /** `bytes` bytes; what they hold is not defined. */
  take(bytes: number): Uint8Array {
    if (bytes <= heapBytes || bytes > largestPiece) return new Uint8Array(bytes);
    if (this.#used + bytes > slabBytes) {
      this.#slab = new Uint8Array(slabBytes);
      this.#used = 0;
    }
    const start = this.#used;
    // Pieces begin at multiples of 8, so that typed arrays of wider elements can lie over them.
    this.#used = (start + bytes + 7) & ~7;
    return new Uint8Array(this.#slab.buffer, start, bytes);
  }

  /** A copy of `source`. */
  copy(source: Uint8Array): Uint8Array {
    const copied = this.take(source.length);
    copied.set(source);
    return copied;
  }
}
