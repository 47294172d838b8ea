import type { Random } from './random.js';

const twoTo32 = 0x1_0000_0000;

/** Completes a source of uniform 32-bit integers to a `Random`. `nextUint32` returns an integer in [0, 2^32). */
export function randomFromUint32(nextUint32: () => number): Random {
  return {
    uint32: nextUint32,
    float: () => ((nextUint32() >>> 5) * 0x400_0000 + (nextUint32() >>> 6)) / 0x20_0000_0000_0000,
    below: (limit) => below(nextUint32, limit),
    bytes: (length) => bytes(nextUint32, length),
  };
}

/** Unbiased: the first `2^32 mod limit` values are drawn again, so that every remainder is equally likely. */
function below(nextUint32: () => number, limit: number): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > twoTo32) {
    throw new RangeError(`limit must be an integer in [1, 2^32], got ${limit}`);
  }
  const rejected = twoTo32 % limit;
  let value = nextUint32();
  while (value < rejected) value = nextUint32();
  return value % limit;
}

function bytes(nextUint32: () => number, length: number): Uint8Array {
  const result = new Uint8Array(length);
  for (let at = 0; at < length; at += 4) {
    const word = nextUint32();
    for (let i = 0; i < 4 && at + i < length; i++) result[at + i] = word >>> (8 * i);
  }
  return result;
}
