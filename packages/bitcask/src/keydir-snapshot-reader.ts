import { crc32, type Disk, type DiskFile, isErrno, readFully } from '@shanghai/env';
import { KeydirImage } from './core/keydir/keydir-image.js';
import type { Keydir } from './core/keydir.js';
import {
  type BlockHead,
  blockHeadBytes,
  blockKinds,
  blockPayloadLimit,
  blockSeed,
  type CoveredSegment,
  coveredSegmentBytes,
  decodeSnapshotHeader,
  endPayloadBytes,
  readBlockHead,
  readCoveredSegment,
  readSnapshotEnd,
  readWidePosition,
  type SnapshotEnd,
  type SnapshotHeader,
  snapshotHeaderBytes,
  widePositionBytes,
} from './core/keydir-snapshot-codec.js';
import type { Manifest } from './core/manifest-codec.js';
import { keydirName } from './core/segment-names.js';

/** A key directory read from its file. */
export interface LoadedKeydir {
  readonly keydir: Keydir;
  /** By file id. */
  readonly segments: ReadonlyMap<number, CoveredSegment>;
  readonly keysByFirstByte: Float64Array;
  readonly visibleSequence: number;
}

/**
 * What reading the file came to. `absent`: there is none. `stale`: whole as far as it was read, but of another state, another store or
 * a newer program. `damaged`: it is not what was written.
 */
export type KeydirReading =
  | { readonly kind: 'loaded'; readonly value: LoadedKeydir }
  | { readonly kind: 'absent' }
  | { readonly kind: 'stale' | 'damaged'; readonly why: string };

/** Why the file cannot be used. */
class Unusable extends Error {
  readonly kind: 'stale' | 'damaged';

  constructor(kind: 'stale' | 'damaged', why: string) {
    super(why);
    this.kind = kind;
  }
}

/**
 * Reads the snapshot of the key directory, if the manifest says that it is usable. Nothing is handed out before
 * everything was read and checked. Rejects with nothing: where even reading fails the file is `damaged`, and whoever asks has a
 * slower way.
 */
export async function readKeydirSnapshot(disk: Disk, directory: string, manifest: Manifest): Promise<KeydirReading> {
  let file: DiskFile | undefined;
  try {
    file = await disk.open(`${directory}/${keydirName}`, 'read');
    return { kind: 'loaded', value: await new SnapshotReader(file, await file.size()).read(manifest) };
  } catch (error) {
    if (error instanceof Unusable) return { kind: error.kind, why: error.message };
    if (file === undefined && isErrno(error, 'ENOENT')) return { kind: 'absent' };
    return { kind: 'damaged', why: `it cannot be read: ${String(error)}` };
  } finally {
    await file?.close();
  }
}

/** Reads one file from its beginning to its end. */
class SnapshotReader {
  readonly #file: DiskFile;
  readonly #fileBytes: number;
  readonly #image = new KeydirImage();
  readonly #segments = new Map<number, CoveredSegment>();
  readonly #headBytes = new Uint8Array(blockHeadBytes);
  #at = snapshotHeaderBytes;
  #blocks = 0;
  #snapshotId = 0;

  constructor(file: DiskFile, fileBytes: number) {
    this.#file = file;
    this.#fileBytes = fileBytes;
  }

  async read(manifest: Manifest): Promise<LoadedKeydir> {
    const header = await this.#header(manifest);
    this.#snapshotId = header.snapshotId;
    let head = await this.#head();
    for (; head.kind === blockKinds.segments; head = await this.#head()) await this.#readSegments(head);
    if (this.#segments.size !== header.segments) throw new Unusable('damaged', 'covered segments are missing');
    this.#checkCovered(manifest);
    for (; head.kind !== blockKinds.end; head = await this.#head()) await this.#readBlock(head);
    const { keysByFirstByte, ...end } = await this.#readEnd(head);
    const keydir = this.#image.finish(end.root, end.keys);
    return { keydir, segments: this.#segments, keysByFirstByte, visibleSequence: header.visibleSequence };
  }

  async #header(manifest: Manifest): Promise<SnapshotHeader> {
    const bytes = new Uint8Array(snapshotHeaderBytes);
    const decoded = decodeSnapshotHeader(bytes.subarray(0, await readFully(this.#file, bytes, 0)));
    if (decoded.kind === 'unsupported') throw new Unusable('stale', decoded.what);
    if (decoded.kind === 'damaged') throw new Unusable('damaged', decoded.what);
    const header = decoded.value;
    if (header.storeId !== manifest.storeId) throw new Unusable('stale', 'it belongs to another store');
    if (header.pageBytes !== KeydirImage.pageBytes)
      throw new Unusable('stale', `its pages have ${header.pageBytes} bytes`);
    return header;
  }

  /** Every covered segment must be listed as it was: then what else is listed is newer. */
  #checkCovered(manifest: Manifest): void {
    const listed = new Map(manifest.entries.map((entry) => [entry.fileId, entry]));
    for (const { fileId, segmentId, bytes } of this.#segments.values()) {
      const entry = listed.get(fileId);
      if (entry?.segmentId !== segmentId || entry.sealedBytes !== bytes)
        throw new Unusable('stale', `segment ${fileId} is not there any more as it was`);
    }
  }

  async #head(): Promise<BlockHead> {
    if (this.#fileBytes - this.#at < blockHeadBytes) throw new Unusable('damaged', 'it ends early');
    await this.#fill(this.#headBytes, this.#at);
    const head = readBlockHead(this.#headBytes);
    if (head.payloadBytes > Math.min(blockPayloadLimit, this.#fileBytes - this.#at - blockHeadBytes))
      throw new Unusable('damaged', `the block at ${this.#at} ends beyond the file`);
    return head;
  }

  async #readBlock(head: BlockHead): Promise<void> {
    if (head.kind === blockKinds.pages) return this.#readPages(head);
    if (head.kind === blockKinds.longKeys) return this.#readLongKeys(head);
    if (head.kind === blockKinds.widePositions) return this.#readWide(head);
    throw new Unusable('damaged', `there is a block of kind ${head.kind} at ${this.#at}`);
  }

  async #readSegments(head: BlockHead): Promise<void> {
    const { view } = await this.#payload(head, head.count * coveredSegmentBytes);
    for (let i = 0; i < head.count; i++) {
      const segment = readCoveredSegment(view, i * coveredSegmentBytes);
      this.#segments.set(segment.fileId, segment);
    }
  }

  /** Straight into the memory where they stay. */
  async #readPages(head: BlockHead): Promise<void> {
    this.#expect(head, head.count * KeydirImage.pageBytes);
    let crc = this.#seedOf();
    let left = head.count;
    let at = this.#at + blockHeadBytes;
    while (left > 0) {
      const room = this.#image.room(left);
      await this.#fill(room, at);
      crc = crc32(room, crc);
      at += room.length;
      left -= room.length / KeydirImage.pageBytes;
    }
    this.#passed(head, crc);
  }

  async #readLongKeys(head: BlockHead): Promise<void> {
    const { bytes, view } = await this.#payload(head, head.payloadBytes);
    let at = 0;
    for (let i = 0; i < head.count && at + 4 <= bytes.length; i++) {
      const end = at + 4 + view.getUint32(at, true);
      this.#image.addLongKey(bytes.slice(at + 4, end));
      at = end;
    }
  }

  async #readWide(head: BlockHead): Promise<void> {
    const { view } = await this.#payload(head, head.count * widePositionBytes);
    for (let i = 0; i < head.count; i++) this.#image.addWidePosition(readWidePosition(view, i * widePositionBytes));
  }

  async #readEnd(head: BlockHead): Promise<SnapshotEnd> {
    const { view } = await this.#payload(head, endPayloadBytes);
    const end = readSnapshotEnd(view, 0);
    const image = this.#image;
    const fits =
      end.pages === image.pages && end.longKeys === image.longKeys && end.widePositions === image.widePositions;
    if (!fits || end.root >= end.pages) throw new Unusable('damaged', 'its counts do not hold');
    if (this.#at !== this.#fileBytes) throw new Unusable('damaged', 'something follows its end');
    return end;
  }

  async #payload(head: BlockHead, payloadBytes: number): Promise<{ bytes: Uint8Array; view: DataView }> {
    this.#expect(head, payloadBytes);
    const bytes = new Uint8Array(payloadBytes);
    await this.#fill(bytes, this.#at + blockHeadBytes);
    this.#passed(head, crc32(bytes, this.#seedOf()));
    return { bytes, view: new DataView(bytes.buffer) };
  }

  #expect(head: BlockHead, payloadBytes: number): void {
    if (head.payloadBytes !== payloadBytes || head.count === 0)
      throw new Unusable('damaged', `the block at ${this.#at} has the wrong length`);
  }

  /** The checksum so far: seed and head of the block at hand. */
  #seedOf(): number {
    return crc32(this.#headBytes, blockSeed(this.#snapshotId, this.#blocks), 0, 12);
  }

  #passed(head: BlockHead, crc: number): void {
    if (crc !== head.crc) throw new Unusable('damaged', `the block at ${this.#at} is damaged`);
    this.#at += blockHeadBytes + head.payloadBytes;
    this.#blocks += 1;
  }

  async #fill(bytes: Uint8Array, at: number): Promise<void> {
    if ((await readFully(this.#file, bytes, at)) < bytes.length) throw new Unusable('damaged', 'it ends early');
  }
}
