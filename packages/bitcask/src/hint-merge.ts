import { compareKeys } from './core/compare-keys.js';
import type { Segment } from './core/segment.js';
import type { HintReader } from './hint-reader.js';

/** The newest record of one key among the inputs of a merge. */
export interface MergeCandidate {
  readonly key: Uint8Array;
  readonly segment: Segment;
  readonly offset: number;
  readonly recordBytes: number;
  readonly sequence: number;
  readonly tombstone: boolean;
  readonly expires: boolean;
}

/** One open hint, standing on a key or at its end. */
class Input {
  candidate: MergeCandidate | undefined;
  readonly #segment: Segment;
  readonly #reader: HintReader;

  constructor(segment: Segment, reader: HintReader) {
    this.#segment = segment;
    this.#reader = reader;
  }

  async advance(): Promise<void> {
    while (!this.#reader.advance()) {
      if (await this.#reader.load()) continue;
      this.candidate = undefined;
      return;
    }
    const { entry } = this.#reader;
    this.candidate = {
      key: this.#reader.key().slice(),
      segment: this.#segment,
      offset: entry.offset,
      recordBytes: entry.recordBytes,
      sequence: entry.sequence,
      tombstone: entry.tombstone,
      expires: entry.expires,
    };
  }
}

/**
 * Walks the hints of several segments together: every key once, in order, with its newest record among them. A binary
 * heap by key; of equal keys the highest sequence wins.
 */
export class HintMerge {
  readonly #heap: Input[] = [];

  static async open(hints: readonly { readonly segment: Segment; readonly reader: HintReader }[]): Promise<HintMerge> {
    const merge = new HintMerge();
    for (const { segment, reader } of hints) {
      const input = new Input(segment, reader);
      await input.advance();
      if (input.candidate !== undefined) merge.#push(input);
    }
    return merge;
  }

  async next(): Promise<MergeCandidate | undefined> {
    let best: MergeCandidate | undefined;
    for (;;) {
      const top = this.#heap[0];
      const candidate = top?.candidate;
      if (top === undefined || candidate === undefined) return best;
      if (best !== undefined && compareKeys(candidate.key, best.key) !== 0) return best;
      if (best === undefined || candidate.sequence > best.sequence) best = candidate;
      await top.advance();
      if (top.candidate === undefined) this.#removeTop();
      else this.#sink(0);
    }
  }

  #push(input: Input): void {
    this.#heap.push(input);
    for (let at = this.#heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #removeTop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #sink(from: number): void {
    for (let at = from; ; ) {
      const left = at * 2 + 1;
      if (left >= this.#heap.length) return;
      const child = left + 1 < this.#heap.length && this.#before(left + 1, left) ? left + 1 : left;
      if (!this.#before(child, at)) return;
      this.#swap(child, at);
      at = child;
    }
  }

  #before(a: number, b: number): boolean {
    const first = this.#heap[a]?.candidate as MergeCandidate;
    const second = this.#heap[b]?.candidate as MergeCandidate;
    return compareKeys(first.key, second.key) < 0;
  }

  #swap(a: number, b: number): void {
    const held = this.#heap[a] as Input;
    this.#heap[a] = this.#heap[b] as Input;
    this.#heap[b] = held;
  }
}
