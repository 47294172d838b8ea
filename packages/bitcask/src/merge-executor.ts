import { isNodeDisk } from '@shanghai/env';
import type { MergeResult } from './bitcask.js';
import type { Segment } from './core/segment.js';
import { MergeCopy } from './merge-copy.js';
import type { MergeCopied, MergeJob } from './merge-job.js';
import { copyOnThread, NoMergeThread } from './merge-thread.js';
import type { StoreContext } from './store-context.js';
import type { StoreMergeHost } from './store-merge-host.js';

/** On the store's own thread a slice must be short; on another the windows should be large. */
const inline = { batchRecords: 512, windowBytes: 1_048_576 };
const onThread = { batchRecords: 2_048, windowBytes: 33_554_432 };

/** How copies are made: on a thread of their own where the files can be reached from one, else on the store's. */
export class MergeExecutor {
  readonly #store: StoreContext;
  #threads: boolean;

  constructor(store: StoreContext) {
    this.#store = store;
    this.#threads = isNodeDisk(store.options.disk);
  }

  /** Whether the next merge will try to get a thread. */
  get onThread(): boolean {
    return this.#threads;
  }

  /** Copies what is live in `inputs`. Where it rejects, no output is left. */
  async copy(inputs: readonly Segment[], host: StoreMergeHost): Promise<MergeCopied> {
    try {
      const copied = await this.#copy(inputs, host);
      if (copied.outputs.length > 0) await this.#store.options.disk.syncDirectory(this.#store.options.directory);
      return copied;
    } catch (error) {
      await host.abandon();
      throw error;
    }
  }

  async #copy(inputs: readonly Segment[], host: StoreMergeHost): Promise<MergeCopied> {
    if (this.#threads) {
      try {
        return await copyOnThread(this.#job(inputs, onThread), host);
      } catch (error) {
        if (!(error instanceof NoMergeThread)) throw error;
        this.#threads = false;
      }
    }
    return new MergeCopy(this.#store.options.disk, this.#job(inputs, inline), host).run();
  }

  #job(inputs: readonly Segment[], sizes: typeof inline): MergeJob {
    const { options, index } = this.#store;
    const chosen = new Set(inputs);
    const others = [...index.segments.values()].filter((segment) => segment.sealed && !chosen.has(segment));
    return {
      directory: options.directory,
      inputs: inputs.map((segment) => ({ ...segment })),
      others: others.map((segment) => ({ ...segment })),
      horizonMs: options.horizon(),
      segmentBytes: options.segmentBytes,
      ...sizes,
    };
  }
}

/** A merge that had nothing to do. */
export const emptyMerge: MergeResult = {
  segmentsMerged: 0,
  recordsCopied: 0,
  tombstonesDropped: 0,
  bytesBefore: 0,
  bytesAfter: 0,
  durationMs: 0,
};
