import { type DirectoryLock, ensureDirectory, isErrno, isFileSystemError, LockError, replaceFile } from '@shanghai/env';
import type { Bitcask } from './bitcask.js';
import { BitcaskError } from './bitcask-error.js';
import type { BitcaskOptions } from './bitcask-options.js';
import { Checkpoints } from './checkpoints.js';
import { ValueCompressor } from './compression.js';
import { encodeManifest, type Manifest } from './core/manifest-codec.js';
import { dataName, manifestName, parseName } from './core/segment-names.js';
import { Snapshots } from './core/snapshots.js';
import { StoreIndex } from './core/store-index.js';
import { FilePool } from './file-pool.js';
import { HintJobs } from './hint-jobs.js';
import { KeydirSnapshots } from './keydir-snapshots.js';
import { ManifestFile, ManifestUnchanged, readManifest } from './manifest-file.js';
import { Merger } from './merger.js';
import { PointReader } from './point-reader.js';
import { createHealth } from './poisoning.js';
import { findLeftovers } from './reconcile-directory.js';
import { RecordReader } from './record-reader.js';
import { type Recovery, recoverStore } from './recover-store.js';
import { type ResolvedBitcaskOptions, resolveBitcaskOptions } from './resolve-bitcask-options.js';
import { SegmentLog } from './segment-log.js';
import { SnapshotJobs } from './snapshot-jobs.js';
import { Store, type StoreParts } from './store.js';
import type { StoreContext } from './store-context.js';
import { Upkeep } from './upkeep.js';
import { ValueCache } from './value-cache.js';
import { WriteCalls } from './write-calls.js';
import { WriteQueue } from './write-queue.js';
import { Writer } from './writer.js';

/**
 * Opens the store in `options.directory`, making it where there is none. Resolves when everything is loaded and what a
 * crash left is settled. Rejects with `LOCKED`, `CORRUPT`, `UNSUPPORTED_FORMAT`, `DISK_FULL` or `IO_ERROR`; then nothing
 * verifiable was removed. Throws `TypeError` or `RangeError` for options out of range.
 */
export async function openBitcask(options: BitcaskOptions): Promise<Bitcask> {
  const resolved = resolveBitcaskOptions(options);
  let lock: DirectoryLock | undefined;
  try {
    if (!resolved.readOnly) await ensureDirectory(resolved.disk, resolved.directory);
    if (resolved.lock && !resolved.readOnly) {
      lock = await resolved.disk.lockDirectory(resolved.directory, {
        breakLock: resolved.breakLock,
        description: '@shanghai/bitcask',
      });
    }
    return await openLocked(resolved, lock);
  } catch (error) {
    await lock?.release();
    throw openFailure(resolved.directory, error);
  }
}

async function openLocked(options: ResolvedBitcaskOptions, lock: DirectoryLock | undefined): Promise<Bitcask> {
  const standing = await loadManifest(options);
  const leftovers = await findLeftovers(options, standing);
  const manifest = new ManifestFile(options.disk, options.directory, standing, leftovers.nextFileId);
  const cache = new ValueCache(options.cache, options.clock);
  const late: { sweep: () => void } = { sweep: () => undefined };
  const snapshots = new Snapshots(options.snapshotMemoryBytes, () => late.sweep());
  const index = new StoreIndex(snapshots, cache.enabled ? (key) => cache.drop(key) : undefined);
  // Only once everything that is live has been read; and before the manifest is written: it may be what makes the room.
  const onRead = () => (options.readOnly ? Promise.resolve() : removeAll(options, leftovers.names));
  const recovery = await recoverStore(options, manifest, index, leftovers.hints, onRead);
  if (!options.readOnly) {
    const emptied = standing.entries.filter((entry) => !index.segments.has(entry.fileId));
    await removeAll(
      options,
      emptied.map((entry) => dataName(entry.fileId)),
    );
  }
  const pool = new FilePool(options.disk, options.directory, options.maxOpenFiles);
  const health = createHealth(options.directory, options.listener);
  const parts = assemble({ options, index, pool, manifest, health, opened: recovery.opened }, recovery, cache, lock);
  late.sweep = () => parts.merger.sweep();
  if (!options.readOnly) start(parts);
  return new Store(parts);
}

/** Removes files; those that are gone already were replaced or removed meanwhile. */
async function removeAll(options: ResolvedBitcaskOptions, names: readonly string[]): Promise<void> {
  for (const name of names) {
    try {
      await options.disk.remove(`${options.directory}/${name}`);
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }
}

function assemble(
  context: StoreContext,
  recovery: Recovery,
  cache: ValueCache,
  lock: DirectoryLock | undefined,
): StoreParts {
  const { options, index, pool } = context;
  const reader = new RecordReader(pool, index);
  const hints = new HintJobs(options);
  const log = new SegmentLog(context, hints);
  const queue = new WriteQueue(options.maxQueuedBytes);
  const compressor = new ValueCompressor(options.compression, options.clock);
  const writer = new Writer(context, log, queue, reader, () => {
    upkeep.afterWrites();
    keydirSnapshots.afterWrites();
  });
  const checkpoints = new Checkpoints(context, writer);
  const upkeep = new Upkeep(context, log, writer, checkpoints);
  const keydirSnapshots = new KeydirSnapshots(context, writer, log, recovery.covered);
  const onMerged = (recordsMoved: number) => keydirSnapshots.afterMerge(recordsMoved);
  return {
    context,
    reader,
    points: new PointReader(index, reader, cache),
    cache,
    calls: new WriteCalls(options, queue, compressor),
    compressor,
    log,
    hints,
    keydirSnapshots,
    writer,
    checkpoints,
    upkeep,
    merger: new Merger(context, writer, hints, onMerged),
    snapshots: new SnapshotJobs(context, writer, log),
    lock,
  };
}

function start(parts: StoreParts): void {
  for (const segment of parts.context.index.segments.values()) if (!segment.hinted) void parts.hints.request(segment);
  parts.checkpoints.start();
  parts.merger.start();
  parts.keydirSnapshots.start();
}

/** The manifest, a fresh one in a directory without a store. */
async function loadManifest(options: ResolvedBitcaskOptions): Promise<Manifest> {
  const { disk, directory, random } = options;
  const path = `${directory}/${manifestName}`;
  const standing = await readManifest(disk, path);
  if (standing !== undefined) return standing;
  const names = await disk.list(directory);
  const data = names.find((name) => parseName(name).kind === 'data');
  if (data !== undefined) {
    throw new BitcaskError(
      'CORRUPT',
      `'${path}' is missing beside '${data}', and without it nobody can tell which segments are live; restore it from a replica or a backup`,
      {
        details: { file: path, offset: 0, bytes: 0 },
      },
    );
  }
  if (options.readOnly)
    throw new BitcaskError('IO_ERROR', `there is no store in '${directory}'; opened with readOnly none is made`, {
      details: { file: path },
    });
  const storeId = Math.floor(random.float() * Number.MAX_SAFE_INTEGER) + 1;
  const fresh: Manifest = { storeId, generation: 1, nextFileId: 1, sequenceFloor: 0, entries: [] };
  await replaceFile(disk, path, encodeManifest(fresh));
  return fresh;
}

function openFailure(directory: string, error: unknown): unknown {
  if (error instanceof LockError) {
    return new BitcaskError(error.code.startsWith('LOCKED') ? 'LOCKED' : 'IO_ERROR', error.message, {
      cause: error,
      details: { directory, ...error.details },
    });
  }
  if (isErrno(error, 'ENOSPC') || error instanceof ManifestUnchanged)
    return new BitcaskError(
      'DISK_FULL',
      `no space to open '${directory}': ${(error as Error).message}; make room and try again`,
      {
        cause: error,
        details: { directory },
      },
    );
  if (isFileSystemError(error)) {
    return new BitcaskError('IO_ERROR', `opening '${directory}' failed: ${String(error)}`, {
      cause: error,
      details: { directory },
    });
  }
  return error;
}
