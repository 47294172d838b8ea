/**
 * Fixed-width fields in byte arrays, little-endian except where a field is part of an ordered key. Numbers of 64 bits
 * are safe integers: everything counted here (revisions, indexes, milliseconds) stays far below 2^53, and a larger one
 * on the way in is damage. Plain stores into the array are as fast as a `DataView` without the object it costs.
 */
const twoTo32 = 0x1_0000_0000;

/** Writes an unsigned 16-bit integer. */
export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

/** Writes an unsigned 32-bit integer. */
export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** Writes a safe integer ≥ 0 in eight bytes. */
export function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value >>> 0);
  writeU32(bytes, at + 4, Math.floor(value / twoTo32));
}

/** Writes an unsigned 32-bit integer so that bytewise order is numeric order. */
export function writeU32Ordered(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Writes a safe integer ≥ 0 in eight bytes so that bytewise order is numeric order. */
export function writeU64Ordered(bytes: Uint8Array, at: number, value: number): void {
  writeU32Ordered(bytes, at, Math.floor(value / twoTo32));
  writeU32Ordered(bytes, at + 4, value >>> 0);
}

/** Reads what `writeU16` wrote. */
export function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

/** Reads what `writeU32` wrote. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (readU16(bytes, at) | (readU16(bytes, at + 2) << 16)) >>> 0;
}

/** Reads what `writeU64` wrote. Larger than a safe integer: `RangeError`. */
export function readU64(bytes: Uint8Array, at: number): number {
  return safe(readU32(bytes, at + 4) * twoTo32 + readU32(bytes, at));
}

/** Reads what `writeU32Ordered` wrote. */
export function readU32Ordered(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  return ((high << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0;
}

/** Reads what `writeU64Ordered` wrote. Larger than a safe integer: `RangeError`. */
export function readU64Ordered(bytes: Uint8Array, at: number): number {
  return safe(readU32Ordered(bytes, at) * twoTo32 + readU32Ordered(bytes, at + 4));
}

function safe(value: number): number {
  if (value > Number.MAX_SAFE_INTEGER) throw new RangeError(`a number of ${value} is beyond 2^53`);
  return value;
}
