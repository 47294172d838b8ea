import type { DirectoryLock, DirectoryLockOptions } from './directory-lock.js';

/**
 * The disk port: everything a store asks of a file system, and what it may rely on.
 *
 * Paths are plain strings with `/`. Errors are `Error`s with an errno name in `code` (`ENOENT`, `EEXIST`, `EIO`,
 * `ENOSPC`, `EMFILE`, …), as Node's own are; see `isErrno`.
 *
 * Durability, stated once: bytes written are on the disk only after a `sync` of that file that began after the write
 * completed; a name made, renamed or removed is on the disk only after a `syncDirectory` of its directory. Until then
 * a crash may keep or lose each of them independently, may keep part of a write (torn at 512 bytes), and may keep
 * later ones while losing earlier ones. After a `sync` has failed nothing is known of what was written before it.
 */
export interface Disk {
  /** Opens a file. `'create'` fails with `EEXIST` where the name is taken; the others fail with `ENOENT` where it is free. */
  open(path: string, mode: DiskOpenMode): Promise<DiskFile>;
  /** `open`, blocking the caller's thread. */
  openSync(path: string, mode: DiskOpenMode): DiskFile;
  /** Makes a directory and those above it; succeeds where it exists. New names are durable after `syncDirectory` of each parent. */
  makeDirectory(path: string): Promise<void>;
  /** The names in a directory, sorted, without `.` and `..`. */
  list(directory: string): Promise<string[]>;
  /** What a name stands for, or `undefined` where there is nothing. */
  stat(path: string): Promise<DiskStat | undefined>;
  /** Atomic for observers, replaces the target; durable after `syncDirectory` of both directories. */
  rename(from: string, to: string): Promise<void>;
  /**
   * A second name for the same file (hard link). `EEXIST` where the name is taken, `EXDEV` where it lies on another file
   * system; `EPERM`, `EMLINK`, `ENOTSUP` where the file system has no more, or none, to give. Durable after
   * `syncDirectory` of the new name's directory, and whole only as far as the file's bytes were synced.
   */
  link(existing: string, added: string): Promise<void>;
  /** Removes a file's name; `ENOENT` where there is none. Open files stay readable. */
  remove(path: string): Promise<void>;
  /** Removes an empty directory; `ENOTEMPTY` where it is not. */
  removeDirectory(path: string): Promise<void>;
  /** Makes the names in a directory durable. */
  syncDirectory(directory: string): Promise<void>;
  /**
   * Holds a directory for one writer, until `release` or the death of the process. Rejects with `LockError`. Its files
   * in the directory have names that begin with `lock`: list around them.
   */
  lockDirectory(directory: string, options?: DirectoryLockOptions): Promise<DirectoryLock>;
}

/** `'read'`: exists, read only. `'write'`: exists, read and write. `'create'`: must not exist, read and write. */
export type DiskOpenMode = 'read' | 'write' | 'create';

/** What `Disk.stat` tells. `bytes` is 0 for directories. */
export interface DiskStat {
  readonly kind: 'file' | 'directory' | 'other';
  readonly bytes: number;
  /** Inode number; with `birthTimeMs` it tells a copied directory from the original. 0 where unknown. */
  readonly inode: number;
  /** Creation time in milliseconds since 1970. 0 where unknown. */
  readonly birthTimeMs: number;
}

/**
 * An open file. Positions and lengths are in bytes. Reads and writes may be short: they return how many bytes they
 * moved; `readFully` and `writeFully` repeat them. Buffers belong to the caller and must not change while a promise
 * that uses them is pending. Operations may overlap; those that do complete in any order.
 */
export interface DiskFile {
  readonly path: string;
  /** Returns the bytes read into `buffer`, in [0, buffer.length]; 0 at the end of the file. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  readSync(buffer: Uint8Array, position: number): number;
  /** Returns the bytes written from `buffer`, in [1, buffer.length] (0 for an empty one). Past the end, the gap is zero. */
  write(buffer: Uint8Array, position: number): Promise<number>;
  writeSync(buffer: Uint8Array, position: number): number;
  /** Makes all bytes written before, and the file's length, durable (`fdatasync`). Never retry a failed one. */
  sync(): Promise<void>;
  syncSync(): void;
  /** Sets the length; bytes added are zero. */
  truncate(bytes: number): Promise<void>;
  /** Current length. */
  size(): Promise<number>;
  sizeSync(): number;
  /** Idempotent; waits for what is in flight. Does not sync. Later calls fail with `EBADF`. */
  close(): Promise<void>;
  /** `close`, blocking; only while nothing is in flight. */
  closeSync(): void;
}
