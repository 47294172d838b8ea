import { type Disk, type DiskFile, invariant } from '@shanghai/env';
import { BitcaskError } from './bitcask-error.js';
import { CandidateBatch, verdicts } from './core/candidate-batch.js';
import type { Segment } from './core/segment.js';
import { dataName } from './core/segment-names.js';
import { HintMerge, MergeHintInvalid } from './hint-merge.js';
import { type HintReader, openHint } from './hint-reader.js';
import type { MergeCopied, MergeHost, MergeJob } from './merge-job.js';
import { MergeSink } from './merge-sink.js';
import { MergeWindow, openInputs } from './merge-window.js';
import { OlderKeys } from './older-keys.js';

/**
 * Writes what is live in the inputs into new segments, in key order.
 *
 * A key's newest record among the inputs survives if the key directory points to it. A tombstone survives unless the
 * key has a newer record or no older one is left outside the merge. An expired record becomes a tombstone under the
 * same condition. What supersedes a dropped record may not be synced yet: the store's side must sync between this and
 * the manifest. The next batch of candidates is asked about while the last one is worked on, so that two threads work
 * at once.
 *
 * Knows files only, and nothing of the store: it runs on its own thread, or on the store's where there is no other.
 */
export class MergeCopy {
  readonly #disk: Disk;
  readonly #job: MergeJob;
  readonly #host: MergeHost;
  readonly #older: OlderKeys;
  readonly #sink: MergeSink;
  #tombstonesDropped = 0;
  #seen = 0;

  constructor(disk: Disk, job: MergeJob, host: MergeHost) {
    this.#disk = disk;
    this.#job = job;
    this.#host = host;
    this.#older = new OlderKeys(disk, job.directory, job.others);
    this.#sink = new MergeSink(disk, job, host);
  }

  /** Rejects with what the store's side rejected with, `CORRUPT`, or the disk's error; outputs are closed then, not removed. */
  async run(): Promise<MergeCopied> {
    const { inputs, directory, windowBytes } = this.#job;
    const hints: { segment: Segment; reader: HintReader }[] = [];
    let files: readonly DiskFile[] = [];
    try {
      files = await openInputs(this.#disk, directory, inputs);
      for (const segment of inputs) hints.push({ segment, reader: await this.#openHint(segment) });
      await this.#copyAll(await HintMerge.open(hints), new MergeWindow(inputs, files, windowBytes));
      await this.#sink.finish();
    } catch (error) {
      await this.#sink.abandon();
      throw error instanceof MergeHintInvalid ? this.#noHint(error.segment) : error;
    } finally {
      for (const { reader } of hints) await reader.close();
      for (const file of files) await file.close();
      await this.#older.close();
    }
    return this.#copied();
  }

  #copied(): MergeCopied {
    const { recordsCopied, recordsExpired, tombstonesKept } = this.#sink;
    const outputs = this.#sink.outputs.map((output) => output.segment);
    for (const segment of outputs) segment.tombstonesNeeded = segment.tombstoneBytes > 0;
    const progressed = recordsCopied + tombstonesKept < this.#seen;
    return { outputs, recordsCopied, recordsExpired, tombstonesDropped: this.#tombstonesDropped, progressed };
  }

  async #openHint(segment: Segment): Promise<HintReader> {
    const reader = await openHint(this.#disk, this.#job.directory, segment);
    if (reader !== undefined) return reader;
    throw this.#noHint(segment);
  }

  #noHint(segment: Segment): BitcaskError {
    const file = `${this.#job.directory}/${dataName(segment.fileId)}`;
    return new BitcaskError('CORRUPT', `'${file}' has no valid hint and cannot be merged; verify the store`, {
      details: { file, offset: 0, bytes: segment.bytes },
    });
  }

  async #copyAll(merge: HintMerge, window: MergeWindow): Promise<void> {
    const batches = [new CandidateBatch(this.#job.batchRecords), new CandidateBatch(this.#job.batchRecords)] as const;
    let asked: { readonly batch: CandidateBatch; readonly answer: Promise<Uint8Array> } | undefined;
    for (let turn: 0 | 1 = 0; ; turn = turn === 0 ? 1 : 0) {
      const batch = batches[turn];
      batch.clear();
      await merge.fill(batch);
      const answer = batch.count === 0 ? undefined : this.#host.judge(batch.block());
      // It is awaited in its turn; until then a rejection must not count as unheard.
      answer?.catch(() => undefined);
      if (asked !== undefined) await this.#take(asked.batch, await asked.answer, window);
      if (answer === undefined) break;
      asked = { batch, answer };
    }
    await this.#write(window);
  }

  /** Puts the survivors of a batch into the window. */
  async #take(batch: CandidateBatch, answer: Uint8Array, window: MergeWindow): Promise<void> {
    invariant(answer.length === batch.count, 'every candidate has its verdict');
    for (let at = 0; at < batch.count; at++) {
      this.#seen++;
      const tombstone = batch.isTombstone(at);
      const newest = answer[at] === (tombstone ? verdicts.absent : verdicts.current);
      const asks = newest && (tombstone || batch.expires(at));
      const olderRemains = asks && (await this.#older.mayHold(batch.key(at), batch.sequence(at)));
      if (tombstone && !olderRemains) this.#tombstonesDropped++;
      if (!newest || (tombstone && !olderRemains)) continue;
      if (!window.hasRoom(batch.recordBytes(at))) await this.#write(window);
      if (tombstone) window.addTombstone(batch.key(at), batch.sequence(at));
      else window.addRecord(batch, at, olderRemains);
    }
  }

  async #write(window: MergeWindow): Promise<void> {
    await window.load((bytes) => this.#host.spend(bytes, 0));
    await this.#sink.write(window);
    window.clear();
  }
}
