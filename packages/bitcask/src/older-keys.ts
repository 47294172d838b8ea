import type { Disk } from '@shanghai/env';
import { compareKeys } from './core/compare-keys.js';
import type { Segment } from './core/segment.js';
import { HintInvalid, type HintReader, openHint } from './hint-reader.js';

/**
 * Answers, for rising keys, whether a segment outside a merge holds an older record of a key: only where none does
 * may the merge leave a tombstone out. The hints of those segments are walked along beside the merge, so the answer is
 * exact and takes no memory. A segment that cannot be asked may hold every key. Rejected: a filter per segment in memory, which every store would pay for all the time.
 */
export class OlderKeys {
  readonly #segments: readonly Segment[];
  readonly #disk: Disk;
  readonly #directory: string;
  #walks: Walk[] | undefined;

  /** `others`: every live sealed segment that is not an input. */
  constructor(disk: Disk, directory: string, others: readonly Segment[]) {
    this.#disk = disk;
    this.#directory = directory;
    this.#segments = others;
  }

  /** Keys must rise from call to call. */
  async mayHold(key: Uint8Array, sequence: number): Promise<boolean> {
    if (!this.#segments.some((segment) => segment.minSequence < sequence)) return false;
    this.#walks ??= await this.#open();
    for (const walk of this.#walks) {
      if (walk.segment.minSequence >= sequence) continue;
      const held = await walk.sequenceOf(key);
      if (held === undefined || (held !== 0 && held < sequence)) return true;
    }
    return false;
  }

  async close(): Promise<void> {
    for (const walk of this.#walks ?? []) await walk.close();
    this.#walks = [];
  }

  async #open(): Promise<Walk[]> {
    const walks: Walk[] = [];
    for (const segment of this.#segments)
      walks.push(new Walk(segment, await openHint(this.#disk, this.#directory, segment)));
    return walks;
  }
}

/** One hint walked forward. */
class Walk {
  readonly segment: Segment;
  #reader: HintReader | undefined;
  #standing = false;
  #ended = false;

  constructor(segment: Segment, reader: HintReader | undefined) {
    this.segment = segment;
    this.#reader = reader;
  }

  /** The sequence of the key's newest record in this segment, 0 where it has none, `undefined` where that cannot be told. */
  async sequenceOf(key: Uint8Array): Promise<number | undefined> {
    try {
      while (this.#reader !== undefined && !this.#ended) {
        const order = this.#standing ? compareKeys(this.#reader.key(), key) : -1;
        if (order === 0) return this.#reader.entry.sequence;
        if (order > 0) return 0;
        await this.#advance(this.#reader);
      }
    } catch (error) {
      if (!(error instanceof HintInvalid)) throw error;
      await this.close();
    }
    return this.#reader === undefined ? undefined : 0;
  }

  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    await reader?.close();
  }

  async #advance(reader: HintReader): Promise<void> {
    this.#standing = false;
    while (!reader.advance()) {
      if (await reader.load()) continue;
      this.#ended = true;
      return;
    }
    this.#standing = true;
  }
}
