/** A copy in memory of its own. A `Buffer`'s `slice` is a view of the same bytes, unlike that of every other array. */
export function copyBytes(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes, start, end);
}
