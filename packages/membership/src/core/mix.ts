/** Spreads the bits of an integer in [0, 2^53) over 32 bits: the finisher of MurmurHash3, the upper bits folded in first. */
export function mix(value: number): number {
  const high = Math.floor(value / 0x1_0000_0000);
  let hash = (value + Math.imul(high, 0x9e3779b1)) >>> 0;
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
