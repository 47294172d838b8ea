import { type AppendFile, createAppendFile, type Disk, type DiskFile, writeFully } from '@shanghai/env';
import { encodeHintHeader, HintBlockBuilder, type HintEntry, hintHeaderBytes } from './core/hint-codec.js';
import type { Segment } from './core/segment.js';
import { hintName } from './core/segment-names.js';

/**
 * Writes a hint file: entries in key order, blocks as they fill, the header (which holds the counts) last; then synced
 * and renamed into place, so that a crash leaves a whole hint or none. The directory is not synced: a hint that
 * vanishes is written again.
 */
export class HintWriter {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #segmentSeed: number;
  readonly #builder = new HintBlockBuilder();
  readonly #append: AppendFile;
  #entries = 0;

  private constructor(disk: Disk, path: string, file: DiskFile, segmentSeed: number) {
    this.#disk = disk;
    this.#path = path;
    this.#segmentSeed = segmentSeed;
    this.#append = createAppendFile(file, hintHeaderBytes);
  }

  static async create(disk: Disk, directory: string, identity: Pick<Segment, 'fileId' | 'seed'>): Promise<HintWriter> {
    const path = `${directory}/${hintName(identity.fileId)}`;
    const temporary = `${path}.tmp`;
    if ((await disk.stat(temporary)) !== undefined) await disk.remove(temporary);
    return new HintWriter(disk, path, await disk.open(temporary, 'create'), identity.seed);
  }

  /** Adds the next key, copied. Returns a promise only where a block was full and has to be written. */
  add(key: Uint8Array, entry: HintEntry): Promise<void> | undefined {
    const full = !this.#builder.hasRoom(key.length);
    const flushed = full ? this.#flush() : undefined;
    this.#builder.add(key, entry);
    this.#entries++;
    return flushed;
  }

  /** Completes the file and puts it into place. `segment` is sealed and its counts are final. */
  async finish(segment: Segment): Promise<void> {
    if (this.#builder.entries > 0) await this.#flush();
    const header = encodeHintHeader({
      segmentId: segment.segmentId,
      fileId: segment.fileId,
      entries: this.#entries,
      dataBytes: segment.bytes,
      minSequence: segment.maxSequence === 0 ? 0 : segment.minSequence,
      maxSequence: segment.maxSequence,
    });
    await writeFully(this.#append.file, header, 0);
    await this.#append.sync();
    await this.#append.close();
    await this.#disk.rename(`${this.#path}.tmp`, this.#path);
  }

  /** Leaves no file behind, as far as the disk allows. */
  async abandon(): Promise<void> {
    await this.#append.close().catch(() => undefined);
    await this.#disk.remove(`${this.#path}.tmp`).catch(() => undefined);
  }

  async #flush(): Promise<void> {
    await this.#append.append(this.#builder.take(this.#segmentSeed, this.#append.end));
  }
}
