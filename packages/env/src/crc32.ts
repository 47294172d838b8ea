import { crc32 as nativeCrc32 } from 'node:zlib';
import CRC32 from 'crc-32';

/**
 * From this many bytes on the native form wins. Measured with `bench/crc32.mjs` (Node 20.20, x64; ns per call, script and
 * native, with the view each of them needs of a part): 64 B 75 and 187, 256 B 189 and 207, 384 B 266 and 252, 4 KiB 2,426
 * and 959. A plain byte loop without the view wins only below 32 B, by some 30 ns: not worth a third form.
 */
const nativeFromBytes = 384;

/**
 * CRC-32 (the polynomial of zlib, gzip and Ethernet) of `bytes[start, end)`, an integer in [0, 2^32). `seed` is the
 * checksum of what comes before, so that `crc32(b, crc32(a))` is the checksum of `a` followed by `b`.
 */
export function crc32(bytes: Uint8Array, seed = 0, start = 0, end = bytes.length): number {
  const length = end - start;
  const range = length === bytes.length ? bytes : bytes.subarray(start, end);
  // Native zlib forgets the seed over an empty range; the script does not.
  return length < nativeFromBytes ? CRC32.buf(range, seed) >>> 0 : nativeCrc32(range, seed);
}
