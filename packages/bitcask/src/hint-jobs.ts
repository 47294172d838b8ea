import { isNodeDisk } from '@shanghai/env';
import { buildHint } from './build-hint.js';
import type { Segment } from './core/segment.js';
import { buildHintOnThread, NoHintThread } from './hint-thread.js';
import type { ResolvedBitcaskOptions } from './resolve-bitcask-options.js';

/** From this size on a segment's hint is worth a thread: to start one takes as long as some ten thousand records. */
const threadBytes = 8_388_608;

/**
 * Writes the hints of sealed segments in the background, one after the other. A hint that cannot be written is no
 * failure of the store: the next open reads the segment instead.
 *
 * To read, sort and write a record again takes longer than the put that wrote it: where the files can be reached from
 * another thread, large segments are read on one of their own.
 */
export class HintJobs {
  readonly #options: ResolvedBitcaskOptions;
  readonly #pending = new Map<number, Promise<void>>();
  #last: Promise<void> = Promise.resolve();
  #threads: boolean;

  constructor(options: ResolvedBitcaskOptions) {
    this.#options = options;
    this.#threads = isNodeDisk(options.disk);
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
    try {
      // A segment may have been merged away, or written with its hint, while the job waited.
      if (segment.hinted) return;
      segment.hinted = await this.#write(segment);
    } catch {
      // Readers of this segment will meet what is wrong with it, with a typed error; the hint alone is not worth one.
    } finally {
      this.#pending.delete(segment.fileId);
    }
  }

  /** Resolves to whether there is a hint now; rejects as `buildHint` does. */
  async #write(segment: Segment): Promise<boolean> {
    const { disk, directory } = this.#options;
    if (this.#threads && segment.bytes >= threadBytes) {
      try {
        return await buildHintOnThread(directory, segment);
      } catch (error) {
        if (!(error instanceof NoHintThread)) throw error;
        this.#threads = false;
      }
    }
    await buildHint(disk, directory, segment);
    return true;
  }
}
