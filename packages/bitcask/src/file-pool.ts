import type { Disk, DiskFile } from '@shanghai/env';
import { LRUCache } from 'lru-cache';
import { dataName } from './core/segment-names.js';

/**
 * Data files open for reading, at most so many; the one read longest ago is closed for the next. The file being
 * written is held aside: it is read through the writer's own handle.
 */
export class FilePool {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #files: LRUCache<number, DiskFile>;
  readonly #opening = new Map<number, Promise<DiskFile>>();
  readonly #held = new Map<number, DiskFile>();
  readonly #closing = new Set<Promise<void>>();

  constructor(disk: Disk, directory: string, maxOpenFiles: number) {
    this.#disk = disk;
    this.#directory = directory;
    this.#files = new LRUCache({ max: maxOpenFiles, dispose: (file) => this.#close(file) });
  }

  get openFiles(): number {
    return this.#files.size + this.#held.size;
  }

  pathOf(fileId: number): string {
    return `${this.#directory}/${dataName(fileId)}`;
  }

  /** Rejects with the disk's error. The file may be closed as soon as the caller waits for anything but a read of it. */
  async get(fileId: number): Promise<DiskFile> {
    const open = this.#held.get(fileId) ?? this.#files.get(fileId);
    if (open !== undefined) return open;
    const opening = this.#opening.get(fileId) ?? this.#open(fileId);
    return opening;
  }

  /** The file if it is open. */
  peek(fileId: number): DiskFile | undefined {
    return this.#held.get(fileId) ?? this.#files.get(fileId);
  }

  getSync(fileId: number): DiskFile {
    const open = this.peek(fileId);
    if (open !== undefined) return open;
    const file = this.#disk.openSync(this.pathOf(fileId), 'read');
    this.#files.set(fileId, file);
    return file;
  }

  /** Serves reads of `fileId` from the caller's handle until `release`; the caller closes it. */
  hold(fileId: number, file: DiskFile): void {
    this.#held.set(fileId, file);
  }

  release(fileId: number): void {
    this.#held.delete(fileId);
  }

  /** Closes the file where it is open: it is about to be removed. */
  forget(fileId: number): void {
    this.#files.delete(fileId);
  }

  /** Closes all of them; waits for reads in flight. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#opening.values());
    this.#files.clear();
    await Promise.all(this.#closing);
  }

  async #open(fileId: number): Promise<DiskFile> {
    const opening = this.#disk.open(this.pathOf(fileId), 'read');
    this.#opening.set(fileId, opening);
    try {
      const file = await opening;
      const raced = this.#files.get(fileId);
      if (raced !== undefined) {
        this.#close(file);
        return raced;
      }
      this.#files.set(fileId, file);
      return file;
    } finally {
      this.#opening.delete(fileId);
    }
  }

  #close(file: DiskFile): void {
    const closing: Promise<void> = file
      .close()
      .catch(() => undefined)
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}
