import type { Random } from './random.js';
import { randomFromUint32 } from './random-from-uint32.js';

/**
 * A `Random` whose numbers follow from `seed` (any safe integer) alone, the same on every machine. For simulators and
 * tests, never for secrets.
 *
 * The generator is xoshiro128** (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", 2021): period
 * 2^128 − 1, four words of state. Its state is filled by SplitMix32, so that neighbouring seeds give unrelated streams.
 */
export function createSeededRandom(seed: number): Random {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed must be a safe integer, got ${seed}`);
  const lowWords = splitMix32(seed >>> 0);
  const highWords = splitMix32(Math.floor(seed / 0x1_0000_0000) ^ lowWords());
  const state = Uint32Array.of(lowWords(), highWords(), lowWords(), highWords() | 1);
  return randomFromUint32(() => xoshiro128(state));
}

function xoshiro128(state: Uint32Array): number {
  const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = state;
  const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
  const mixed2 = s2 ^ s0;
  const mixed3 = s3 ^ s1;
  state[0] = s0 ^ mixed3;
  state[1] = s1 ^ mixed2;
  state[2] = mixed2 ^ (s1 << 9);
  state[3] = rotateLeft(mixed3, 11);
  return result;
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** SplitMix32: a Weyl sequence through the finalizer of MurmurHash3. */
function splitMix32(seed: number): () => number {
  let counter = seed | 0;
  return () => {
    counter = (counter + 0x9e37_79b9) | 0;
    let mixed = counter ^ (counter >>> 16);
    mixed = Math.imul(mixed, 0x85eb_ca6b);
    mixed ^= mixed >>> 13;
    mixed = Math.imul(mixed, 0xc2b2_ae35);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  };
}
