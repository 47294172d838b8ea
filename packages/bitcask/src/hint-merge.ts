import type { CandidateBatch } from './core/candidate-batch.js';
import type { Segment } from './core/segment.js';
import { HintHeap } from './hint-heap.js';
import { HintInvalid, type HintReader } from './hint-reader.js';

/** The hint of an input is damaged. Never leaves this package. */
export class MergeHintInvalid extends Error {
  readonly segment: Segment;

  constructor(segment: Segment, cause: HintInvalid) {
    super(cause.message, { cause });
    this.segment = segment;
  }
}

/** Walks the hints of several segments together: every key once, in order, with its newest record among them. */
export class HintMerge {
  readonly #heap = new HintHeap();
  readonly #inputOf = new Map<Segment, number>();

  /** The readers stay the caller's to close. A segment's place in `hints` is its number in batches. Rejects with `MergeHintInvalid`. */
  static async open(hints: readonly { readonly segment: Segment; readonly reader: HintReader }[]): Promise<HintMerge> {
    const merge = new HintMerge();
    for (const { segment, reader } of hints) {
      merge.#inputOf.set(segment, merge.#inputOf.size);
      try {
        await merge.#heap.add(segment, reader);
      } catch (error) {
        throw named(segment, error);
      }
    }
    return merge;
  }

  /** Fills an empty batch with the next keys; it stays empty at the end. Rejects with `MergeHintInvalid`. */
  async fill(batch: CandidateBatch): Promise<void> {
    try {
      while (this.#heap.top !== undefined && !this.#run(batch)) await this.#heap.load();
    } catch (error) {
      // Whichever hint failed has stayed at the top.
      throw this.#heap.top === undefined ? error : named(this.#heap.top.segment, error);
    }
  }

  /** Takes keys until the batch is full (true) or a block has to be loaded (false). */
  #run(batch: CandidateBatch): boolean {
    for (let { top } = this.#heap; top !== undefined; top = this.#heap.top) {
      const { key, entry } = top;
      if (batch.endsWith(key)) {
        if (entry.sequence > batch.lastSequence) batch.replaceLast(this.#input(top.segment), entry);
      } else {
        // A full batch still takes older and newer records of its last key, so that no key is in two batches.
        if (batch.full) return true;
        batch.add(key, this.#input(top.segment), entry);
      }
      if (!this.#heap.advance()) return false;
    }
    return true;
  }

  #input(segment: Segment): number {
    return this.#inputOf.get(segment) as number;
  }
}

function named(segment: Segment, error: unknown): unknown {
  return error instanceof HintInvalid ? new MergeHintInvalid(segment, error) : error;
}
