/** 64-bit little-endian integers as numbers: BigInt costs ten times as much, and no value here exceeds 2^53 − 1. */

const high = 4_294_967_296;

/** Writes `value`, an integer in [0, 2^53), at `offset`. */
export function setUint64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, (value / high) >>> 0, true);
}

/** Reads an integer. Beyond 2^53 − 1 the answer is not exact: bytes that were not checked may say anything. */
export function getUint64(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * high + view.getUint32(offset, true);
}
