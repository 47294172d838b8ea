import { compareKeys } from './core/compare-keys.js';
import type { Segment } from './core/segment.js';
import { HintHeap, type HintInput } from './hint-heap.js';
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

/** Walks the hints of several segments together: every key once, in order, with its newest record among them. */
export class HintMerge {
  readonly #heap = new HintHeap();

  /** The readers stay the caller's to close. Rejects with `HintInvalid`. */
  static async open(hints: readonly { readonly segment: Segment; readonly reader: HintReader }[]): Promise<HintMerge> {
    const merge = new HintMerge();
    for (const { segment, reader } of hints) await merge.#heap.add(segment, reader);
    return merge;
  }

  /** The next key, or `undefined` at the end. Rejects with `HintInvalid`. */
  async next(): Promise<MergeCandidate | undefined> {
    let best: MergeCandidate | undefined;
    for (;;) {
      const { top } = this.#heap;
      if (top === undefined) return best;
      if (best !== undefined && compareKeys(top.key, best.key) !== 0) return best;
      if (best === undefined || top.entry.sequence > best.sequence) best = candidateOf(top);
      if (!this.#heap.advance()) await this.#heap.load();
    }
  }
}

function candidateOf(input: HintInput): MergeCandidate {
  const { offset, recordBytes, sequence, tombstone, expires } = input.entry;
  return { key: input.key.slice(), segment: input.segment, offset, recordBytes, sequence, tombstone, expires };
}
