import type { MergeResult } from './bitcask.js';
import { BitcaskError } from './bitcask-error.js';
import type { KeydirPosition } from './core/keydir.js';
import { recordFlags } from './core/record.js';
import type { Segment } from './core/segment.js';
import { hintName } from './core/segment-names.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import { HintMerge, type MergeCandidate } from './hint-merge.js';
import { type HintReader, openHint } from './hint-reader.js';
import { MergeOutput } from './merge-output.js';
import type { MergePace } from './merge-pace.js';
import { OlderKeys } from './older-keys.js';
import { readRecords } from './read-records.js';
import type { ReadRecord, RecordReader } from './record-reader.js';
import type { StoreContext } from './store-context.js';

/** Records decided on and read together. */
const windowRecords = 256;
const windowBytes = 1_048_576;
const noBytes = new Uint8Array(0);

/** A record that goes into the output: a copy, or a tombstone. */
interface Survivor {
  readonly candidate: MergeCandidate;
  /** An older record of the key lies outside the merge: if this one goes, a tombstone must stay. */
  readonly olderRemains: boolean;
}

/** What a merge has written: outputs that are durable and named, not yet in the manifest. */
export interface MergedSegments {
  readonly outputs: readonly Segment[];
  readonly recordsCopied: number;
  readonly tombstonesDropped: number;
  /** Something was left out. */
  readonly progressed: boolean;
}

/**
 * Writes what is live in `inputs` into new segments, in key order.
 *
 * A key's newest record among the inputs survives if the key directory points to it. A tombstone survives unless the
 * key has a newer record or no older one is left outside the merge. An expired record becomes a tombstone under the
 * same condition, and leaves the directory at once. What supersedes a dropped record may not be synced yet: the caller
 * must sync the store between this and the manifest.
 */
export class MergeRun {
  readonly #store: StoreContext;
  readonly #reader: RecordReader;
  readonly #inputs: readonly Segment[];
  readonly #pace: MergePace;
  readonly #signal: AbortSignal;
  readonly #horizonMs: number;
  readonly #older: OlderKeys;
  readonly #outputs: MergeOutput[] = [];
  readonly #position: KeydirPosition = emptyPosition();
  #recordsCopied = 0;
  #tombstonesDropped = 0;
  #seen = 0;
  #kept = 0;

  constructor(
    store: StoreContext,
    reader: RecordReader,
    inputs: readonly Segment[],
    pace: MergePace,
    signal: AbortSignal,
  ) {
    this.#store = store;
    this.#reader = reader;
    this.#inputs = inputs;
    this.#pace = pace;
    this.#signal = signal;
    this.#horizonMs = store.options.horizon();
    const chosen = new Set(inputs);
    const others = [...store.index.segments.values()].filter((segment) => segment.sealed && !chosen.has(segment));
    this.#older = new OlderKeys(store.options.disk, store.options.directory, others);
  }

  /** Where it rejects, no output is left. */
  async write(): Promise<MergedSegments> {
    const hints: { segment: Segment; reader: HintReader }[] = [];
    try {
      for (const segment of this.#inputs) hints.push({ segment, reader: await this.#openInput(segment) });
      await this.#copyAll(await HintMerge.open(hints));
      await this.#finishLast();
      if (this.#outputs.length > 0) await this.#store.options.disk.syncDirectory(this.#store.options.directory);
    } catch (error) {
      await this.abandon();
      throw error;
    } finally {
      for (const { reader } of hints) await reader.close();
      await this.#older.close();
    }
    const outputs = this.#outputs.map((output) => output.segment);
    for (const segment of outputs) segment.tombstonesNeeded = segment.tombstoneBytes > 0 && !this.#older.uncertain;
    return {
      outputs,
      recordsCopied: this.#recordsCopied,
      tombstonesDropped: this.#tombstonesDropped,
      progressed: this.#kept < this.#seen,
    };
  }

  /** Removes the outputs, as far as the disk allows; what stays is removed at the next open. */
  async abandon(): Promise<void> {
    const { disk, directory } = this.#store.options;
    for (const output of this.#outputs) {
      await output.abandon();
      await disk.remove(this.#store.pool.pathOf(output.segment.fileId)).catch(() => undefined);
      await disk.remove(`${directory}/${hintName(output.segment.fileId)}`).catch(() => undefined);
    }
    this.#outputs.length = 0;
  }

  async #openInput(segment: Segment): Promise<HintReader> {
    const reader = await openHint(this.#store.options.disk, this.#store.options.directory, segment);
    if (reader !== undefined) return reader;
    const file = this.#store.pool.pathOf(segment.fileId);
    throw new BitcaskError('CORRUPT', `'${file}' has no valid hint and cannot be merged; verify the store`, {
      details: { file, offset: 0, bytes: segment.bytes },
    });
  }

  async #copyAll(merge: HintMerge): Promise<void> {
    let window: Survivor[] = [];
    let bytes = 0;
    for (let candidate = await merge.next(); candidate !== undefined; candidate = await merge.next()) {
      this.#seen++;
      const survivor = await this.#judge(candidate);
      if (survivor !== undefined) {
        window.push(survivor);
        bytes += candidate.recordBytes;
      }
      if (window.length < windowRecords && bytes < windowBytes && this.#seen % 4_096 !== 0) continue;
      await this.#copy(window);
      await this.#pace.spend(bytes * 2, this.#signal);
      window = [];
      bytes = 0;
    }
    await this.#copy(window);
    await this.#pace.spend(bytes * 2, this.#signal);
  }

  async #judge(candidate: MergeCandidate): Promise<Survivor | undefined> {
    const current = this.#position;
    const there = this.#store.index.keydir.get(candidate.key, current);
    if (candidate.tombstone) {
      if (!there && (await this.#older.mayHold(candidate.key, candidate.sequence)))
        return { candidate, olderRemains: true };
      this.#tombstonesDropped++;
      return undefined;
    }
    if (!there || current.sequence !== candidate.sequence) return undefined;
    return {
      candidate,
      olderRemains: candidate.expires && (await this.#older.mayHold(candidate.key, candidate.sequence)),
    };
  }

  async #copy(window: readonly Survivor[]): Promise<void> {
    const copies = window.filter((survivor) => !survivor.candidate.tombstone);
    const records =
      copies.length === 0
        ? []
        : await readRecords(
            this.#reader,
            copies.map((survivor) => positionOf(survivor.candidate)),
          );
    let next = 0;
    for (const survivor of window) {
      if (survivor.candidate.tombstone) await this.#addTombstone(survivor.candidate);
      else await this.#addRecord(survivor, records[next++] as ReadRecord);
    }
  }

  async #addRecord(survivor: Survivor, record: ReadRecord): Promise<void> {
    const { candidate, olderRemains } = survivor;
    const { fields, bytes } = record;
    if (fields.expiresAtMs > 0 && fields.expiresAtMs <= this.#horizonMs) {
      this.#forget(candidate);
      if (olderRemains) await this.#addTombstone(candidate);
      return;
    }
    const output = await this.#outputFor(fields.recordBytes);
    const stored = bytes.subarray(fields.valueStart);
    const codec = (fields.flags & recordFlags.codecMask) >> recordFlags.codecShift;
    await output.add(
      { flags: 0, key: candidate.key, stored, expiresAtMs: fields.expiresAtMs, codec, rawBytes: fields.rawBytes },
      fields.sequence,
    );
    this.#recordsCopied++;
    this.#kept++;
  }

  async #addTombstone(candidate: MergeCandidate): Promise<void> {
    const output = await this.#outputFor(candidate.recordBytes);
    await output.add(
      { flags: recordFlags.tombstone, key: candidate.key, stored: noBytes, expiresAtMs: 0, codec: 0, rawBytes: 0 },
      candidate.sequence,
    );
    this.#kept++;
  }

  /** Takes an expired key out of the directory, unless it was written again. */
  #forget(candidate: MergeCandidate): void {
    const { index } = this.#store;
    if (index.keydir.get(candidate.key, this.#position) && this.#position.sequence === candidate.sequence)
      index.delete(candidate.key);
  }

  async #outputFor(bytes: number): Promise<MergeOutput> {
    const last = this.#outputs.at(-1);
    if (last !== undefined && last.end + bytes <= this.#store.options.segmentBytes) return last;
    if (last !== undefined) await last.finish();
    const output = await MergeOutput.create(this.#store);
    this.#outputs.push(output);
    return output;
  }

  async #finishLast(): Promise<void> {
    await this.#outputs.at(-1)?.finish();
  }
}

function positionOf(candidate: MergeCandidate): KeydirPosition {
  const { offset, recordBytes, sequence, expires } = candidate;
  return { fileId: candidate.segment.fileId, offset, recordBytes, sequence, expires };
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
