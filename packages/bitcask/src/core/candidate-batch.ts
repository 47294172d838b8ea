import type { HintEntry } from './hint-codec.js';

/**
 * Keys on their way through a merge, the newest record of each among the inputs, in rising order; packed, because they
 * come by the million and cross to another thread and back.
 */

/** What the store is asked about a batch: which of these records are still the newest of their keys. */
export interface CandidateBlock {
  readonly count: number;
  /** All keys, one behind the other. */
  readonly keys: Uint8Array;
  /** Where each key ends in `keys`. */
  readonly keyEnds: Uint32Array;
  readonly sequences: Float64Array;
}

/** The store's answer for one candidate; a block is answered with one byte each. */
export const verdicts = {
  /** The directory has a newer record of the key. */
  superseded: 0,
  /** The directory points to this record. */
  current: 1,
  /** The directory does not have the key. */
  absent: 2,
} as const;

const flagTombstone = 1;
const flagExpires = 2;

/** A batch of fixed size that is filled, asked about, gone through, and filled again. */
export class CandidateBatch {
  readonly #capacity: number;
  #keys: Uint8Array;
  readonly #keyEnds: Uint32Array;
  readonly #sequences: Float64Array;
  readonly #offsets: Uint32Array;
  readonly #recordBytes: Uint32Array;
  /** Index of the input the record lies in. */
  readonly #inputs: Uint32Array;
  readonly #flags: Uint8Array;
  #count = 0;
  #keyBytes = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#keys = new Uint8Array(capacity * 24);
    this.#keyEnds = new Uint32Array(capacity);
    this.#sequences = new Float64Array(capacity);
    this.#offsets = new Uint32Array(capacity);
    this.#recordBytes = new Uint32Array(capacity);
    this.#inputs = new Uint32Array(capacity);
    this.#flags = new Uint8Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#count === this.#capacity;
  }

  clear(): void {
    this.#count = 0;
    this.#keyBytes = 0;
  }

  /** Whether the last key added is this one. */
  endsWith(key: Uint8Array): boolean {
    const { length } = key;
    const end = this.#keyBytes;
    const start = this.#count < 2 ? 0 : (this.#keyEnds[this.#count - 2] as number);
    if (this.#count === 0 || end - start !== length) return false;
    for (let i = length - 1; i >= 0; i--) if (this.#keys[start + i] !== key[i]) return false;
    return true;
  }

  get lastSequence(): number {
    return this.#sequences[this.#count - 1] as number;
  }

  /** Adds the next key, copied. */
  add(key: Uint8Array, input: number, entry: HintEntry): void {
    const end = this.#keyBytes + key.length;
    if (end > this.#keys.length) {
      const grown = new Uint8Array(end * 2);
      grown.set(this.#keys.subarray(0, this.#keyBytes));
      this.#keys = grown;
    }
    this.#keys.set(key, this.#keyBytes);
    this.#keyBytes = end;
    this.#keyEnds[this.#count++] = end;
    this.replaceLast(input, entry);
  }

  /** Another record of the last key is newer. */
  replaceLast(input: number, entry: HintEntry): void {
    const at = this.#count - 1;
    this.#sequences[at] = entry.sequence;
    this.#offsets[at] = entry.offset;
    this.#recordBytes[at] = entry.recordBytes;
    this.#inputs[at] = input;
    this.#flags[at] = (entry.tombstone ? flagTombstone : 0) | (entry.expires ? flagExpires : 0);
  }

  /** What is sent: a copy. */
  block(): CandidateBlock {
    return {
      count: this.#count,
      keys: this.#keys.slice(0, this.#keyBytes),
      keyEnds: this.#keyEnds.slice(0, this.#count),
      sequences: this.#sequences.slice(0, this.#count),
    };
  }

  /** A view, valid until `clear`. */
  key(at: number): Uint8Array {
    return this.#keys.subarray(at === 0 ? 0 : this.#keyEnds[at - 1], this.#keyEnds[at]);
  }

  sequence(at: number): number {
    return this.#sequences[at] as number;
  }

  offset(at: number): number {
    return this.#offsets[at] as number;
  }

  recordBytes(at: number): number {
    return this.#recordBytes[at] as number;
  }

  input(at: number): number {
    return this.#inputs[at] as number;
  }

  isTombstone(at: number): boolean {
    return ((this.#flags[at] as number) & flagTombstone) !== 0;
  }

  expires(at: number): boolean {
    return ((this.#flags[at] as number) & flagExpires) !== 0;
  }
}
