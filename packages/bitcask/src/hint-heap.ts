import type { HintEntry } from './core/hint-codec.js';
import type { Segment } from './core/segment.js';
import type { HintReader } from './hint-reader.js';

/** Bytes of a key that its number holds. */
const prefixBytes = 6;

/** One hint in the heap, standing on an entry. What it gives is valid until it moves on. */
export class HintInput {
  readonly segment: Segment;
  readonly reader: HintReader;
  /** The key is `bytes[entry.keyStart, entry.keyStart + entry.keyBytes)`. */
  bytes: Uint8Array = new Uint8Array(0);
  /** The key's first six bytes as a number: most comparisons end there. */
  prefix = 0;

  constructor(segment: Segment, reader: HintReader) {
    this.segment = segment;
    this.reader = reader;
  }

  get entry(): HintEntry {
    return this.reader.entry;
  }

  /** The key, a view. */
  get key(): Uint8Array {
    return this.reader.key();
  }

  /** Takes over what the reader stands on. */
  settle(): void {
    const { reader } = this;
    this.bytes = reader.bytes;
    this.prefix = prefixOf(this.bytes, reader.entry.keyStart, reader.entry.keyBytes);
  }
}

/**
 * Walks several hints together in the order of their keys; a key that several hold comes up once for each. A binary
 * heap that works without promises while blocks last: `advance` says when one has to be loaded.
 */
export class HintHeap {
  readonly #inputs: HintInput[] = [];

  /** The input with the least key, or `undefined` when all have ended. */
  get top(): HintInput | undefined {
    return this.#inputs[0];
  }

  /** Adds a hint that stands before its first entry. Rejects with `HintInvalid`; then it was not added. */
  async add(segment: Segment, reader: HintReader): Promise<void> {
    if (!(await reader.load()) || !reader.advance()) return;
    const input = new HintInput(segment, reader);
    input.settle();
    this.#inputs.push(input);
    this.#rise(this.#inputs.length - 1);
  }

  /** Moves the top to its next entry; false where its block is used up: call `load`. Throws `HintInvalid`. */
  advance(): boolean {
    const top = this.#inputs[0];
    if (top === undefined || !top.reader.advance()) return false;
    top.settle();
    this.#sink(0);
    return true;
  }

  /** Loads the top's next block and moves to its first entry, or takes the top out at its end. Rejects with `HintInvalid`. */
  async load(): Promise<void> {
    const top = this.#inputs[0];
    if (top === undefined) return;
    if (await top.reader.load()) this.advance();
    else this.drop();
  }

  /** Takes the top out. */
  drop(): void {
    const last = this.#inputs.pop();
    if (last === undefined || this.#inputs.length === 0) return;
    this.#inputs[0] = last;
    this.#sink(0);
  }

  #rise(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(from: number): void {
    const inputs = this.#inputs;
    for (let at = from; ; ) {
      const left = at * 2 + 1;
      if (left >= inputs.length) return;
      const child = left + 1 < inputs.length && this.#before(left + 1, left) ? left + 1 : left;
      if (!this.#before(child, at)) return;
      this.#swap(child, at);
      at = child;
    }
  }

  #before(a: number, b: number): boolean {
    const first = this.#inputs[a] as HintInput;
    const second = this.#inputs[b] as HintInput;
    if (first.prefix !== second.prefix) return first.prefix < second.prefix;
    return compareRest(first, second) < 0;
  }

  #swap(a: number, b: number): void {
    const held = this.#inputs[a] as HintInput;
    this.#inputs[a] = this.#inputs[b] as HintInput;
    this.#inputs[b] = held;
  }
}

/** Order of two keys whose numbers are equal. */
function compareRest(first: HintInput, second: HintInput): number {
  const { bytes, entry } = first;
  const { bytes: otherBytes, entry: other } = second;
  const shared = Math.min(entry.keyBytes, other.keyBytes);
  for (let i = prefixBytes; i < shared; i++) {
    const difference = (bytes[entry.keyStart + i] as number) - (otherBytes[other.keyStart + i] as number);
    if (difference !== 0) return difference;
  }
  return entry.keyBytes - other.keyBytes;
}

/** Shorter keys count as if zeros followed: they may tie with longer ones, never overtake them. */
function prefixOf(bytes: Uint8Array, start: number, keyBytes: number): number {
  if (keyBytes >= prefixBytes) {
    const high = ((bytes[start] as number) << 16) | ((bytes[start + 1] as number) << 8) | (bytes[start + 2] as number);
    const low =
      ((bytes[start + 3] as number) << 16) | ((bytes[start + 4] as number) << 8) | (bytes[start + 5] as number);
    return high * 16_777_216 + low;
  }
  let prefix = 0;
  for (let i = 0; i < prefixBytes; i++) prefix = prefix * 256 + (i < keyBytes ? (bytes[start + i] as number) : 0);
  return prefix;
}
