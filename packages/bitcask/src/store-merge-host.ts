import { type CandidateBlock, verdicts } from './core/candidate-batch.js';
import type { SegmentIdentity } from './core/segment.js';
import { hintName } from './core/segment-names.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import type { MergeHost } from './merge-job.js';
import type { MergePace } from './merge-pace.js';
import { createSegmentFile } from './segment-log.js';
import type { StoreContext } from './store-context.js';

/** The store's side of one merge: looks keys up, makes output files, keeps the pace. */
export class StoreMergeHost implements MergeHost {
  readonly #store: StoreContext;
  readonly #pace: MergePace;
  readonly #signal: AbortSignal;
  readonly #position = emptyPosition();
  readonly #outputs: number[] = [];
  bytesRead = 0;
  bytesWritten = 0;

  constructor(store: StoreContext, pace: MergePace, signal: AbortSignal) {
    this.#store = store;
    this.#pace = pace;
    this.#signal = signal;
  }

  async judge(block: CandidateBlock): Promise<Uint8Array> {
    this.#signal.throwIfAborted();
    const { keydir } = this.#store.index;
    const { count, keys, keyEnds, sequences } = block;
    const position = this.#position;
    const answer = new Uint8Array(count);
    let start = 0;
    for (let at = 0; at < count; at++) {
      const end = keyEnds[at] as number;
      if (!keydir.get(keys.subarray(start, end), position)) answer[at] = verdicts.absent;
      else answer[at] = position.sequence === sequences[at] ? verdicts.current : verdicts.superseded;
      start = end;
    }
    return answer;
  }

  async newOutput(): Promise<SegmentIdentity> {
    this.#signal.throwIfAborted();
    const { segment, file } = await createSegmentFile(this.#store, 'merged', 0);
    this.#outputs.push(segment.fileId);
    await file.close();
    const { fileId, segmentId, seed, kind } = segment;
    return { fileId, segmentId, seed, kind };
  }

  spend(bytesRead: number, bytesWritten: number): Promise<void> {
    this.bytesRead += bytesRead;
    this.bytesWritten += bytesWritten;
    return this.#pace.spend(bytesRead + bytesWritten, this.#signal);
  }

  /** Removes the outputs, as far as the disk allows; what stays is removed at the next open. Nobody may write them any more. */
  async abandon(): Promise<void> {
    const { disk, directory } = this.#store.options;
    for (const fileId of this.#outputs.splice(0)) {
      await disk.remove(this.#store.pool.pathOf(fileId)).catch(() => undefined);
      await disk.remove(`${directory}/${hintName(fileId)}`).catch(() => undefined);
      await disk.remove(`${directory}/${hintName(fileId)}.tmp`).catch(() => undefined);
    }
  }
}
