import fs from 'node:fs';
import { isErrno } from '../coded-error.js';
import type { DirectoryLock, DirectoryLockOptions } from '../directory-lock.js';
import type { Disk, DiskFile, DiskOpenMode, DiskStat } from '../disk.js';
import { lockDirectory } from './directory-lock.js';
import { NodeFile } from './node-file.js';

const openFlags: Record<DiskOpenMode, string> = { read: 'r', write: 'r+', create: 'wx+' };

/** What a directory's fsync fails with where the file system has none to offer: there is nothing more to do there. */
const noDirectorySync = ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EISDIR', 'EBADF'];

/**
 * The operating system's files. Promise forms run in Node's thread pool (`UV_THREADPOOL_SIZE`, 4 by default); blocking
 * forms on the caller's thread.
 */
export function nodeDisk(): Disk {
  const disk: Disk = {
    open,
    openSync,
    makeDirectory,
    list,
    stat,
    rename,
    link,
    remove,
    removeDirectory,
    syncDirectory,
    lockDirectory: lock,
  };
  nodeDisks.add(disk);
  return disk;
}

const nodeDisks = new WeakSet<Disk>();

/** Whether `disk` came from `nodeDisk` as it is: its files can be reached from another thread, which makes one of its own. */
export function isNodeDisk(disk: Disk): boolean {
  return nodeDisks.has(disk);
}

type Done<T> = (error: NodeJS.ErrnoException | null, value?: T) => void;

function promised<T = void>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value as T)));
  });
}

function lock(directory: string, options?: DirectoryLockOptions): Promise<DirectoryLock> {
  return lockDirectory(directory, options);
}

async function open(path: string, mode: DiskOpenMode): Promise<DiskFile> {
  const fd = await promised<number>((done) => fs.open(path, openFlags[mode], done));
  return new NodeFile(path, fd);
}

function openSync(path: string, mode: DiskOpenMode): DiskFile {
  return new NodeFile(path, fs.openSync(path, openFlags[mode]));
}

async function makeDirectory(path: string): Promise<void> {
  await promised<string>((done) => fs.mkdir(path, { recursive: true }, done));
}

async function list(directory: string): Promise<string[]> {
  const names = await promised<string[]>((done) => fs.readdir(directory, done));
  return names.sort();
}

async function stat(path: string): Promise<DiskStat | undefined> {
  const stats = await promised<fs.Stats | undefined>((done) => {
    fs.stat(path, (error, value) => (isAbsence(error) ? done(null) : done(error, value)));
  });
  if (stats === undefined) return undefined;
  const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other';
  const bytes = kind === 'file' ? stats.size : 0;
  return { kind, bytes, inode: stats.ino, birthTimeMs: Math.floor(stats.birthtimeMs) };
}

function rename(from: string, to: string): Promise<void> {
  return promised((done) => fs.rename(from, to, done));
}

function link(existing: string, added: string): Promise<void> {
  return promised((done) => fs.link(existing, added, done));
}

function remove(path: string): Promise<void> {
  return promised((done) => fs.unlink(path, done));
}

function removeDirectory(path: string): Promise<void> {
  return promised((done) => fs.rmdir(path, done));
}

async function syncDirectory(directory: string): Promise<void> {
  const fd = await openForSync(directory);
  if (fd === undefined) return;
  try {
    await promised((done) => fs.fsync(fd, done));
  } catch (error) {
    if (!noDirectorySync.some((code) => isErrno(error, code))) throw error;
  } finally {
    await promised((done) => fs.close(fd, done));
  }
}

/** `undefined` where the platform does not open directories at all. */
async function openForSync(directory: string): Promise<number | undefined> {
  try {
    return await promised<number>((done) => fs.open(directory, 'r', done));
  } catch (error) {
    if (isErrno(error, 'EISDIR') || (process.platform === 'win32' && isErrno(error, 'EPERM'))) return undefined;
    throw error;
  }
}

/** `ENOTDIR`: a name on the way is a file, so there is nothing at the path either. */
function isAbsence(error: unknown): boolean {
  return isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR');
}
