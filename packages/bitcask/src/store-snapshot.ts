import {
  type Disk,
  type DiskFile,
  ensureDirectory,
  isErrno,
  parentDirectory,
  readFully,
  replaceFile,
  writeFully,
} from '@shanghai/env';
import type { SnapshotOptions, SnapshotResult } from './bitcask.js';
import { BitcaskError } from './bitcask-error.js';
import { encodeManifest, type Manifest, type ManifestEntry } from './core/manifest-codec.js';
import { dataName, hintName, manifestName } from './core/segment-names.js';

/**
 * Puts sealed segments into a directory of their own; docs/formats/bitcask.md, section 6.
 *
 * A sealed segment is never written again, so a second name for it is as good as a copy, costs no space, and outlives
 * the first name when a merge removes that. The manifest comes last: a directory without one is no store, so whatever a
 * crash or a failure leaves cannot be taken for a snapshot.
 */

/** What the file system says when it cannot give a second name: then the bytes are copied. */
const cannotLink = ['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

const copyBytes = 1_048_576;

/** Files to take, which nobody removes or writes to meanwhile, and the manifest that lists them, all of them sealed. */
export interface SnapshotSource {
  readonly disk: Disk;
  readonly directory: string;
  readonly manifest: Manifest;
}

/** One file that a snapshot is made of. */
interface SourceFile {
  readonly name: string;
  readonly bytes: number;
}

/**
 * Fills `target` and makes it durable. Rejects with the signal's reason, `TARGET_NOT_EMPTY`, `CORRUPT` (a file is
 * missing or has another length), `DISK_FULL` or `IO_ERROR`; then what was put there is taken away again, as far as the disk lets.
 */
export async function writeSnapshot(
  source: SnapshotSource,
  target: string,
  options: SnapshotOptions,
): Promise<SnapshotResult> {
  const { disk, manifest } = source;
  const made: string[] = [];
  const isNew = await checkTarget(disk, target);
  try {
    options.signal?.throwIfAborted();
    await ensureDirectory(disk, target);
    const counts = await takeFiles(source, target, options, made);
    await disk.syncDirectory(target);
    options.signal?.throwIfAborted();
    await replaceFile(disk, `${target}/${manifestName}`, encodeManifest(manifest));
    return { ...counts, sequence: manifest.sequenceFloor };
  } catch (error) {
    await cleanUp(disk, target, made, isNew);
    options.signal?.throwIfAborted();
    throw snapshotFailure(target, error);
  }
}

/** Resolves to whether the directory has to be made. */
async function checkTarget(disk: Disk, target: string): Promise<boolean> {
  const stat = await disk.stat(target);
  if (stat === undefined) return true;
  if (stat.kind === 'directory' && (await disk.list(target)).length === 0) return false;
  const what = stat.kind === 'directory' ? 'is not empty' : 'is not a directory';
  throw new BitcaskError('TARGET_NOT_EMPTY', `'${target}' ${what}; name a directory that is absent or empty`, {
    details: { directory: target },
  });
}

async function takeFiles(
  source: SnapshotSource,
  target: string,
  options: SnapshotOptions,
  made: string[],
): Promise<Omit<SnapshotResult, 'sequence'>> {
  const files = await sourceFiles(source);
  const bytesTotal = files.reduce((sum, file) => sum + file.bytes, 0);
  let bytes = 0;
  let linked = 0;
  for (const file of files) {
    options.signal?.throwIfAborted();
    const path = `${target}/${file.name}`;
    const before = bytes;
    const onCopied = (done: number) => options.onProgress?.(before + done, bytesTotal);
    if (await link(source, file, path)) linked++;
    else await copy(source, file, path, made, { signal: options.signal, onCopied });
    made.push(path);
    bytes += file.bytes;
    options.onProgress?.(bytes, bytesTotal);
  }
  return { files: files.length, bytes, linked, copied: files.length - linked };
}

/** Segments, and those hints that are there: one that is missing costs the reader time only. */
async function sourceFiles({ disk, directory, manifest }: SnapshotSource): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for (const { fileId, sealedBytes } of manifest.entries) {
    const data = dataName(fileId);
    const stat = await disk.stat(`${directory}/${data}`);
    if (stat?.bytes !== sealedBytes) throw lengthDiffers(`${directory}/${data}`, stat?.bytes, sealedBytes);
    files.push({ name: data, bytes: sealedBytes });
    const hint = await disk.stat(`${directory}/${hintName(fileId)}`);
    if (hint !== undefined) files.push({ name: hintName(fileId), bytes: hint.bytes });
  }
  return files;
}

/** Gives the file a second name. Resolves to false where the file system cannot. */
async function link({ disk, directory }: SnapshotSource, { name }: SourceFile, path: string): Promise<boolean> {
  try {
    await disk.link(`${directory}/${name}`, path);
    return true;
  } catch (error) {
    if (cannotLink.some((code) => isErrno(error, code))) return false;
    throw error;
  }
}

interface CopyOptions {
  readonly signal: AbortSignal | undefined;
  readonly onCopied: (done: number) => void;
}

/** Writes a file of the same bytes, synced. One that was begun is named in `made` before anything can fail. */
async function copy(
  { disk, directory }: SnapshotSource,
  { name, bytes }: SourceFile,
  path: string,
  made: string[],
  options: CopyOptions,
): Promise<void> {
  const from = await disk.open(`${directory}/${name}`, 'read');
  try {
    const to = await disk.open(path, 'create');
    made.push(path);
    try {
      await copyBlocks(from, to, bytes, options);
      await to.sync();
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

async function copyBlocks(from: DiskFile, to: DiskFile, bytes: number, options: CopyOptions): Promise<void> {
  const block = new Uint8Array(Math.min(copyBytes, bytes));
  for (let at = 0; at < bytes; ) {
    options.signal?.throwIfAborted();
    const wanted = Math.min(block.length, bytes - at);
    const read = await readFully(from, block.subarray(0, wanted), at);
    if (read < wanted) throw lengthDiffers(from.path, at + read, bytes);
    await writeFully(to, block.subarray(0, read), at);
    at += read;
    if (at < bytes) options.onCopied(at);
  }
}

/** The manifest goes first, durably: without it the rest means nothing. Where it will not go, all stays: that is a whole snapshot. */
async function cleanUp(disk: Disk, target: string, made: readonly string[], isNew: boolean): Promise<void> {
  try {
    for (const name of [`${manifestName}.tmp`, manifestName]) await removeIfThere(disk, `${target}/${name}`);
    if (made.length > 0) await disk.syncDirectory(target);
    for (const path of made) await removeIfThere(disk, path);
    if (!isNew) return;
    await disk.removeDirectory(target);
    await disk.syncDirectory(parentDirectory(target));
  } catch {
    // The failure to report is the first one.
  }
}

async function removeIfThere(disk: Disk, path: string): Promise<void> {
  try {
    await disk.remove(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** The manifest of a snapshot: `entries` all sealed, nothing behind `sequence`. */
export function snapshotManifest(current: Manifest, entries: readonly ManifestEntry[], sequence: number): Manifest {
  return { ...current, sequenceFloor: Math.max(current.sequenceFloor, sequence), entries };
}

function lengthDiffers(file: string, bytes: number | undefined, sealedBytes: number): BitcaskError {
  const what = bytes === undefined ? 'is missing' : `has ${bytes} bytes`;
  return new BitcaskError(
    'CORRUPT',
    `'${file}' ${what} and was sealed with ${sealedBytes}; no snapshot was made, restore the file from a replica or a backup`,
    { details: { file, offset: Math.min(bytes ?? 0, sealedBytes), bytes: Math.abs(sealedBytes - (bytes ?? 0)) } },
  );
}

function snapshotFailure(target: string, error: unknown): unknown {
  if (error instanceof BitcaskError || !(error instanceof Error)) return error;
  const details = { directory: target };
  if (isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT')) {
    return new BitcaskError(
      'DISK_FULL',
      `no space for a snapshot in '${target}' (${error.message}); nothing of it was kept, make room and try again`,
      { cause: error, details },
    );
  }
  if ((error as NodeJS.ErrnoException).code === undefined) return error;
  return new BitcaskError('IO_ERROR', `the snapshot in '${target}' failed and was taken away: ${error.message}`, {
    cause: error,
    details,
  });
}
