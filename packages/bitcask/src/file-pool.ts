import { type Disk, type DiskFile, isErrno } from '@shanghai/env';
import { LRUCache } from 'lru-cache';
import { BitcaskError } from './bitcask-error.js';
import { dataName } from './core/segment-names.js';

/** A read that waits for its file. */
interface Waiter {
  begin(file: DiskFile): void;
  fail(error: unknown): void;
}

/**
 * Data files open for reading, at most so many; the one read longest ago is closed for the next. The file being
 * written is held aside: it is read through the writer's own handle. Where the process or the system has no
 * descriptors left, the pool gives back its own and tries again; it fails only when it holds none.
 */
export class FilePool {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #files: LRUCache<number, DiskFile>;
  readonly #opening = new Map<number, Waiter[]>();
  readonly #opens = new Set<Promise<void>>();
  readonly #held = new Map<number, DiskFile>();
  readonly #closing = new Set<Promise<void>>();
  #closed = false;
  /** Falls below `maxOpenFiles` where the process has fewer descriptors. */
  #limit: number;

  constructor(disk: Disk, directory: string, maxOpenFiles: number) {
    this.#disk = disk;
    this.#directory = directory;
    this.#limit = maxOpenFiles;
    this.#files = new LRUCache({ max: maxOpenFiles, dispose: (file) => this.#close(file) });
  }

  get openFiles(): number {
    return this.#files.size + this.#held.size;
  }

  pathOf(fileId: number): string {
    return `${this.#directory}/${dataName(fileId)}`;
  }

  /**
   * What `read` of the file resolves to; rejects with the disk's error. `read` must begin its call of the disk before
   * it returns: a file is closed for another only after the calls that began on it.
   */
  withFile<T>(fileId: number, read: (file: DiskFile) => Promise<T>): Promise<T> {
    const open = this.peek(fileId);
    if (open !== undefined) return read(open);
    return new Promise((resolve, reject) => {
      const waiter = {
        begin: (file: DiskFile) => read(file).then(resolve, reject),
        fail: reject,
      };
      const waiting = this.#opening.get(fileId);
      if (waiting !== undefined) waiting.push(waiter);
      else this.#open(fileId, [waiter]);
    });
  }

  /** The file if it is open. */
  peek(fileId: number): DiskFile | undefined {
    return this.#held.get(fileId) ?? this.#files.get(fileId);
  }

  getSync(fileId: number): DiskFile {
    const open = this.peek(fileId);
    if (open !== undefined) return open;
    this.#checkOpen(fileId);
    let file: DiskFile;
    try {
      file = this.#disk.openSync(this.pathOf(fileId), 'read');
    } catch (error) {
      // Closing does not block, so it cannot help this call; it helps the next one.
      if (isOutOfFiles(error)) this.#giveBack();
      throw error;
    }
    this.#keep(fileId, file);
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
    this.#closed = true;
    await Promise.all(this.#opens);
    this.#files.clear();
    await Promise.all(this.#closing);
  }

  /** Opens a file for all who wait for it, and begins their reads in the moment it is open. */
  #open(fileId: number, waiters: Waiter[]): void {
    this.#opening.set(fileId, waiters);
    const opening = this.#openWithRoom(fileId)
      .then(
        (file) => {
          this.#opening.delete(fileId);
          // A blocking read may have opened it meanwhile.
          if (!this.#files.has(fileId)) this.#keep(fileId, file);
          for (const waiter of waiters) waiter.begin(file);
          if (this.#files.peek(fileId) !== file) this.#close(file);
        },
        (error: unknown) => {
          this.#opening.delete(fileId);
          for (const waiter of waiters) waiter.fail(error);
        },
      )
      .finally(() => this.#opens.delete(opening));
    this.#opens.add(opening);
  }

  async #openWithRoom(fileId: number): Promise<DiskFile> {
    for (;;) {
      this.#checkOpen(fileId);
      try {
        return await this.#disk.open(this.pathOf(fileId), 'read');
      } catch (error) {
        if (!isOutOfFiles(error) || (this.#files.size === 0 && this.#closing.size === 0)) throw error;
        this.#giveBack();
        // Reads in flight end first: a read under pressure waits rather than fails.
        await Promise.race(this.#closing);
      }
    }
  }

  #keep(fileId: number, file: DiskFile): void {
    this.#files.set(fileId, file);
    while (this.#files.size > this.#limit) this.#files.pop();
  }

  /** Holds a quarter fewer from now on: manifest, hints and merges need descriptors too. */
  #giveBack(): void {
    const kept = Math.floor(this.#files.size * 0.75);
    while (this.#files.size > kept) this.#files.pop();
    this.#limit = Math.max(1, kept);
  }

  #checkOpen(fileId: number): void {
    if (this.#closed) throw new BitcaskError('CLOSED', `'${this.pathOf(fileId)}' is not read: the store is closed`);
  }

  #close(file: DiskFile): void {
    const closing: Promise<void> = file
      .close()
      .catch(() => undefined)
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}

/** Whether the process, or the system, has as many files open as it may. */
export function isOutOfFiles(error: unknown): boolean {
  return isErrno(error, 'EMFILE') || isErrno(error, 'ENFILE');
}
