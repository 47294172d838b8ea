import { readU32, writeU32 } from './byte-fields.js';

/** Bytes in front of a value in the store: a format byte and the revision (56 bits, little-endian). */
export const storedValueHeadBytes = 8;

const format = 1;
const twoTo32 = 0x1_0000_0000;
/** What stands above the lower 32 bits of a number below 2^53 is less than this. */
const maxHigh = 0x20_0000;

/** A value as it is stored; `more` is put behind it. */
export function encodeStoredValue(revision: number, value: Uint8Array, more?: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(storedValueHeadBytes + value.length + (more?.length ?? 0));
  bytes[0] = format;
  writeU32(bytes, 1, revision >>> 0);
  const high = Math.floor(revision / twoTo32);
  bytes[5] = high;
  bytes[6] = high >>> 8;
  bytes[7] = high >>> 16;
  bytes.set(value, storedValueHeadBytes);
  if (more !== undefined) bytes.set(more, storedValueHeadBytes + value.length);
  return bytes;
}

/** Reads a stored value; `value` is a view. Throws `RangeError` for a format it does not know. */
export function decodeStoredValue(bytes: Uint8Array): { readonly revision: number; readonly value: Uint8Array } {
  if (bytes.length < storedValueHeadBytes || bytes[0] !== format) {
    throw new RangeError(`a stored value of format ${bytes[0]} is not known`);
  }
  const high = (bytes[5] as number) | ((bytes[6] as number) << 8) | ((bytes[7] as number) << 16);
  if (high >= maxHigh) throw new RangeError('a stored value has a revision beyond 2^53');
  return { revision: high * twoTo32 + readU32(bytes, 1), value: bytes.subarray(storedValueHeadBytes) };
}
