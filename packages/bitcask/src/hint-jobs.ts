import { buildHint } from './build-hint.js';
import type { Segment } from './core/segment.js';
import type { ResolvedBitcaskOptions } from './resolve-bitcask-options.js';

/**
 * Writes the hints of sealed segments in the background, one after the other. A hint that cannot be written is no
 * failure of the store: the next open reads the segment instead.
 */
export class HintJobs {
  readonly #options: ResolvedBitcaskOptions;
  readonly #pending = new Map<number, Promise<void>>();
  #last: Promise<void> = Promise.resolve();

  constructor(options: ResolvedBitcaskOptions) {
    this.#options = options;
  }

  /** Queues the hint of a sealed segment. Resolves when that was tried. */
  request(segment: Segment): Promise<void> {
    const pending = this.#pending.get(segment.fileId);
    if (pending !== undefined) return pending;
    const job = this.#last.then(() => this.#build(segment));
    this.#pending.set(segment.fileId, job);
    this.#last = job;
    return job;
  }

  /** Resolves when no job is left. */
  async idle(): Promise<void> {
    while (this.#pending.size > 0) await this.#last;
  }

  async #build(segment: Segment): Promise<void> {
    const { disk, directory } = this.#options;
    try {
      // A segment may have been merged away, or written with its hint, while the job waited.
      if (segment.hinted) return;
      await buildHint(disk, directory, segment);
      segment.hinted = true;
    } catch {
      // Readers of this segment will meet what is wrong with it, with a typed error; the hint alone is not worth one.
    } finally {
      this.#pending.delete(segment.fileId);
    }
  }
}
