import { type AppendFile, createAppendFile } from '@shanghai/env';
import { createHintEntry } from './core/hint-codec.js';
import { crcSeed, layRecord, type RecordContent, recordFlags, stampRecord } from './core/record.js';
import { countRecord, type Segment } from './core/segment.js';
import { segmentHeaderBytes } from './core/segment-header.js';
import { HintWriter } from './hint-writer.js';
import { createSegmentFile } from './segment-log.js';
import { contentBytes } from './staging-chunk.js';
import type { StoreContext } from './store-context.js';

const bufferBytes = 262_144;

/** One output segment of a merge with its hint: records in key order, without batch flags. */
export class MergeOutput {
  readonly segment: Segment;
  readonly #append: AppendFile;
  readonly #hint: HintWriter;
  readonly #entry = createHintEntry();
  #bytes = new Uint8Array(bufferBytes);
  #view = new DataView(this.#bytes.buffer);
  #filled = 0;

  private constructor(segment: Segment, append: AppendFile, hint: HintWriter) {
    this.segment = segment;
    this.#append = append;
    this.#hint = hint;
  }

  static async create(store: StoreContext): Promise<MergeOutput> {
    const { segment, file } = await createSegmentFile(store, 'merged', 0);
    try {
      const hint = await HintWriter.create(store.options.disk, store.options.directory, segment);
      return new MergeOutput(segment, createAppendFile(file, segmentHeaderBytes, segmentHeaderBytes), hint);
    } catch (error) {
      await file.close();
      await store.options.disk.remove(file.path).catch(() => undefined);
      throw error;
    }
  }

  /** Length of the file once everything is written. */
  get end(): number {
    return this.#append.end + this.#filled;
  }

  /** Appends a record; keys must rise. */
  async add(content: RecordContent, sequence: number): Promise<void> {
    const bytes = contentBytes(content);
    if (this.#filled + bytes > this.#bytes.length) await this.#flush(bytes);
    const offset = this.end;
    const start = this.#filled;
    this.#filled = layRecord(this.#bytes, this.#view, start, content);
    stampRecord(this.#bytes, this.#view, start, this.#filled, sequence, crcSeed(this.segment.seed, offset));
    const tombstone = (content.flags & recordFlags.tombstone) !== 0;
    countRecord(this.segment, sequence, tombstone, bytes);
    const entry = this.#entry;
    entry.offset = offset;
    entry.recordBytes = bytes;
    entry.sequence = sequence;
    entry.tombstone = tombstone;
    entry.expires = content.expiresAtMs > 0;
    await this.#hint.add(content.key, entry);
  }

  /** Makes segment and hint durable (their names are not, until the directory is synced). */
  async finish(): Promise<void> {
    await this.#flush(0);
    await this.#append.sync();
    await this.#append.close();
    this.segment.bytes = this.#append.end;
    this.segment.sealed = true;
    await this.#hint.finish(this.segment);
    this.segment.hinted = true;
  }

  async abandon(): Promise<void> {
    await this.#append.close().catch(() => undefined);
    await this.#hint.abandon();
  }

  async #flush(nextBytes: number): Promise<void> {
    if (this.#filled > 0) await this.#append.append(this.#bytes.subarray(0, this.#filled));
    this.#filled = 0;
    if (nextBytes <= this.#bytes.length) return;
    this.#bytes = new Uint8Array(nextBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }
}
