/** Bytes of every key. */
export const keyBytes = 16;

/** Room for a key. A `Buffer` of its own, as that is what callers of Node mostly have, and what some engines like best. */
export function newKey(): Uint8Array {
  return Buffer.alloc(keyBytes);
}

const digits = '0123456789abcdef';

/**
 * Writes the key of a number in [0, 2^32) into `key`: 16 bytes, each number another key, neighbours far apart, so that
 * numbers in order are keys in random order. The low eight bytes are a bijective mix of the number in hexadecimal.
 */
export function fillKey(key: Uint8Array, number: number): Uint8Array {
  let mixed = Math.imul(number ^ 0x5bd1e995, 0x9e3779b1) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b) >>> 0;
  for (let i = 0; i < 8; i++) {
    key[i] = digits.charCodeAt((mixed >>> (28 - i * 4)) & 15);
    key[8 + i] = 107;
  }
  return key;
}

/** Numbers in [0, count) in an order that no cache foresees; each call gives the next. */
export function scatteredNumbers(count: number): () => number {
  let state = 0x2545f491;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % count;
  };
}
