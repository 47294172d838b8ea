import { crc32 as nativeCrc32 } from 'node:zlib';
import CRC32 from 'crc-32';

/** From this many bytes on the native form wins; `bench/crc32.mjs` measures it. */
const nativeFromBytes = 400;

/**
 * CRC-32 (the polynomial of zlib, gzip and Ethernet) of `bytes[start, end)`, an integer in [0, 2^32). `seed` is the
 * checksum of what comes before, so that `crc32(b, crc32(a))` is the checksum of `a` followed by `b`.
 */
export function crc32(bytes: Uint8Array, seed = 0, start = 0, end = bytes.length): number {
  const length = end - start;
  const range = length === bytes.length ? bytes : bytes.subarray(start, end);
  return length < nativeFromBytes ? CRC32.buf(range, seed) >>> 0 : nativeCrc32(range, seed);
}
