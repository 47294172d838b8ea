import { type Disk, isErrno, readWholeFile, replaceFile } from '@shanghai/env';
import { BitcaskError } from './bitcask-error.js';
import {
  decodeManifest,
  encodeManifest,
  type Manifest,
  type ManifestEntry,
  manifestLimitBytes,
} from './core/manifest-codec.js';
import { manifestName } from './core/segment-names.js';

/** What a replacement changes. Everything else stays. */
export interface ManifestChange {
  /** Segments that are complete now: file id → final length. */
  readonly sealed?: ReadonlyMap<number, number>;
  readonly added?: readonly ManifestEntry[];
  readonly removed?: ReadonlySet<number>;
  /** File ids whose `tombstonesNeeded` is to be taken away. */
  readonly tombstonesUnknown?: ReadonlySet<number>;
}

/** Thrown where a replacement failed and left the manifest as it was: nothing happened, the store may go on. */
export class ManifestUnchanged extends Error {}

/**
 * The manifest in memory and on disk. Replacements happen one after the other; memory follows only when one has
 * succeeded. A replacement that fails for want of space, and provably changed nothing, throws `ManifestUnchanged`; any
 * other failure leaves it unknown which of the two stands, and the caller must stop writing.
 */
export class ManifestFile {
  readonly #disk: Disk;
  readonly #path: string;
  #current: Manifest;
  #nextFileId: number;
  #last: Promise<unknown> = Promise.resolve();

  constructor(disk: Disk, directory: string, current: Manifest, nextFileId: number) {
    this.#disk = disk;
    this.#path = `${directory}/${manifestName}`;
    this.#current = current;
    this.#nextFileId = nextFileId;
  }

  get current(): Manifest {
    return this.#current;
  }

  /** A file id that no file of this store ever had. */
  allocateFileId(): number {
    return this.#nextFileId++;
  }

  /** `sequenceFloor`: the highest sequence given out so far. */
  replace(change: ManifestChange, sequenceFloor: number): Promise<void> {
    const mine = this.#last.then(() => this.#replace(change, sequenceFloor));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async #replace(change: ManifestChange, sequenceFloor: number): Promise<void> {
    const next = applyChange(this.#current, change, this.#nextFileId, sequenceFloor);
    const bytes = encodeManifest(next);
    try {
      await replaceFile(this.#disk, this.#path, bytes);
    } catch (error) {
      if (!isErrno(error, 'ENOSPC')) throw error;
      const standing = await readManifest(this.#disk, this.#path);
      if (standing?.generation !== this.#current.generation) throw error;
      throw new ManifestUnchanged(`no space for the ${bytes.length} bytes of '${this.#path}'`, { cause: error });
    }
    this.#current = next;
  }
}

function applyChange(manifest: Manifest, change: ManifestChange, nextFileId: number, sequenceFloor: number): Manifest {
  const kept = manifest.entries
    .filter((entry) => change.removed?.has(entry.fileId) !== true)
    .map((entry) => ({
      ...entry,
      sealedBytes: change.sealed?.get(entry.fileId) ?? entry.sealedBytes,
      tombstonesNeeded: entry.tombstonesNeeded && change.tombstonesUnknown?.has(entry.fileId) !== true,
    }));
  return {
    storeId: manifest.storeId,
    generation: manifest.generation + 1,
    nextFileId,
    sequenceFloor: Math.max(manifest.sequenceFloor, sequenceFloor),
    entries: [...kept, ...(change.added ?? [])].sort((a, b) => a.fileId - b.fileId),
  };
}

/** The manifest at `path`, or `undefined` where there is none. Rejects with `CORRUPT` or `UNSUPPORTED_FORMAT`. */
export async function readManifest(disk: Disk, path: string): Promise<Manifest | undefined> {
  const bytes = await readWholeFile(disk, path, manifestLimitBytes);
  if (bytes === undefined) return undefined;
  const decoded = decodeManifest(bytes);
  if (decoded.kind === 'ok') return decoded.value;
  const details = { file: path, offset: 0, bytes: bytes.length };
  if (decoded.kind === 'unsupported') {
    throw new BitcaskError(
      'UNSUPPORTED_FORMAT',
      `'${path}' was written by a newer program: ${decoded.what}; open it with that one`,
      { details },
    );
  }
  throw new BitcaskError(
    'CORRUPT',
    `'${path}' is damaged: ${decoded.what}; restore the directory from a replica or a backup`,
    { details },
  );
}
