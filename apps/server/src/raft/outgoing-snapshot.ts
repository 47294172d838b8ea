/**
 * A snapshot on its way out: what the engine put into a directory, and segments of the group's logs, which are read where
 * they are. Which files these are, and their checksums, is found out when the first asks, beside applying.
 */
import { type Disk, type DiskFile, readFully } from '@shanghai/env';
import type { SnapshotFile, SnapshotSource } from '@shanghai/raft';
import type { EngineSnapshot } from '../engine/storage-engine.js';
import type { LogFileImage } from '../logs/log-file-image.js';
import { removeIfPresent } from '../logs/remove-tree.js';
import { fileChecksum } from './file-checksum.js';
import { GroupSnapshotError } from './group-snapshot-error.js';

/** What a snapshot is made of. */
export interface OutgoingSnapshotOptions {
  readonly disk: Disk;
  /** Its own; `store/` in it is the engine's. Removed when it is released. */
  readonly directory: string;
  readonly engine: EngineSnapshot;
  /** By the names they have in the snapshot. */
  readonly logFiles: ReadonlyMap<string, LogFileImage>;
  /** Called once, when it is released. */
  readonly onReleased: () => void;
}

type FoundFile = Pick<SnapshotFile, 'name' | 'bytes'>;

interface OpenFile {
  readonly file: Promise<DiskFile>;
  users: number;
}

/** Files that stay open although nobody reads them. */
const maxIdleFiles = 4;

/** A snapshot's files while they are sent. */
export class OutgoingSnapshot implements SnapshotSource {
  readonly #options: OutgoingSnapshotOptions;
  readonly #stop = new AbortController();
  #finding: Promise<readonly FoundFile[]> | undefined;
  #listing: Promise<readonly SnapshotFile[]> | undefined;
  /** In the order of last use, oldest first. */
  readonly #open = new Map<string, OpenFile>();
  #releasing: Promise<void> | undefined;

  constructor(options: OutgoingSnapshotOptions) {
    this.#options = options;
  }

  /** The files without their checksums: nothing has to be read for it. */
  names(): Promise<readonly Pick<SnapshotFile, 'name' | 'bytes'>[]> {
    this.#finding ??= this.#find();
    return this.#finding;
  }

  files(): Promise<readonly SnapshotFile[]> {
    this.#listing ??= this.#list();
    return this.#listing;
  }

  async read(name: string, offset: number, length: number): Promise<Uint8Array> {
    this.#stop.signal.throwIfAborted();
    const bytes = new Uint8Array(length);
    const read = await this.#using(this.#pathOf(name), (file) => readFully(file, bytes, offset));
    if (read === length) return bytes;
    throw new GroupSnapshotError(
      'DAMAGED',
      `'${name}' ends at ${offset + read}, expected ${length} bytes from ${offset}`,
    );
  }

  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  async #release(): Promise<void> {
    const { disk, directory, engine, onReleased } = this.#options;
    this.#stop.abort(new GroupSnapshotError('INCOMPLETE', 'the snapshot was released'));
    await engine.abandon();
    await this.#finding?.catch(() => undefined);
    await this.#listing?.catch(() => undefined);
    await this.#closeIdle(0);
    onReleased();
    // What stays is removed at the next start.
    await removeIfPresent(disk, directory).catch(() => undefined);
  }

  async #find(): Promise<readonly FoundFile[]> {
    const { disk, directory, engine, logFiles } = this.#options;
    await engine.finish();
    const found: FoundFile[] = [];
    for (const name of await disk.list(`${directory}/store`)) {
      found.push({ name: `store/${name}`, bytes: (await disk.stat(`${directory}/store/${name}`))?.bytes ?? 0 });
    }
    for (const [name, { bytes }] of logFiles) found.push({ name, bytes });
    return found;
  }

  async #list(): Promise<readonly SnapshotFile[]> {
    const files: SnapshotFile[] = [];
    for (const { name, bytes } of await this.names()) {
      const crc = await fileChecksum(this.#options.disk, this.#pathOf(name), bytes, this.#stop.signal);
      files.push({ name, bytes, crc });
    }
    return files;
  }

  #pathOf(name: string): string {
    return this.#options.logFiles.get(name)?.path ?? `${this.#options.directory}/${name}`;
  }

  /** Files stay open for the next read: several followers may each be at one of their own. */
  async #using<Result>(path: string, use: (file: DiskFile) => Promise<Result>): Promise<Result> {
    const open = this.#open.get(path) ?? { file: this.#options.disk.open(path, 'read'), users: 0 };
    open.users++;
    this.#open.delete(path);
    this.#open.set(path, open);
    try {
      return await use(await open.file);
    } finally {
      open.users--;
      await this.#closeIdle(this.#stop.signal.aborted ? 0 : maxIdleFiles);
    }
  }

  /** The least recently used first. */
  async #closeIdle(kept: number): Promise<void> {
    for (const [path, { file, users }] of this.#open) {
      if (this.#open.size <= kept) return;
      if (users > 0) continue;
      this.#open.delete(path);
      await file.then(
        (opened) => opened.close(),
        () => undefined,
      );
    }
  }
}
