import { type AppendFile, createAppendFile, type Disk } from '@shanghai/env';
import type { HintEntry } from './core/hint-codec.js';
import { countRecord, createSegment, type Segment, type SegmentIdentity } from './core/segment.js';
import { segmentHeaderBytes } from './core/segment-header.js';
import { dataName } from './core/segment-names.js';
import { HintWriter } from './hint-writer.js';

/** Bytes written between syncs: one sync of a whole segment at its end would hold up everybody else's. */
const syncEveryBytes = 16_777_216;

/** One output segment of a merge with its hint: records in key order, without batch flags. */
export class MergeOutput {
  readonly segment: Segment;
  readonly #append: AppendFile;
  readonly #hint: HintWriter;

  private constructor(segment: Segment, append: AppendFile, hint: HintWriter) {
    this.segment = segment;
    this.#append = append;
    this.#hint = hint;
  }

  /** Over a file that has its header. */
  static async open(disk: Disk, directory: string, identity: SegmentIdentity): Promise<MergeOutput> {
    const file = await disk.open(`${directory}/${dataName(identity.fileId)}`, 'write');
    try {
      const hint = await HintWriter.create(disk, directory, identity);
      return new MergeOutput(
        createSegment(identity),
        createAppendFile(file, segmentHeaderBytes, segmentHeaderBytes),
        hint,
      );
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Length of the file so far. */
  get end(): number {
    return this.#append.end;
  }

  /** Enters a record that will be written; keys must rise. Returns a promise only where something has to be written for it. */
  enter(key: Uint8Array, entry: HintEntry): Promise<void> | undefined {
    countRecord(this.segment, entry.sequence, entry.tombstone, entry.recordBytes);
    return this.#hint.add(key, entry);
  }

  /** Writes stamped records. */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#append.append(bytes);
    if (this.#append.end - this.#append.durableEnd >= syncEveryBytes) await this.#append.sync();
  }

  /** Makes segment and hint durable (their names are not, until the directory is synced). */
  async finish(): Promise<void> {
    await this.#append.sync();
    await this.#append.close();
    this.segment.bytes = this.#append.end;
    this.segment.sealed = true;
    await this.#hint.finish(this.segment);
    this.segment.hinted = true;
  }

  /** Closes what is open; the files stay. */
  async abandon(): Promise<void> {
    await this.#append.close().catch(() => undefined);
    await this.#hint.abandon();
  }
}
