import type { Disk } from '@shanghai/env';
import type {
  BitcaskStats,
  SnapshotOptions,
  SnapshotResult,
  VerifyOptions,
  VerifyProblem,
  VerifyReport,
} from './bitcask.js';
import { BitcaskError } from './bitcask-error.js';
import { buildHint } from './build-hint.js';
import type { Keydir } from './core/keydir.js';
import type { Manifest, ManifestEntry } from './core/manifest-codec.js';
import { segmentSeedOf } from './core/record.js';
import { createSegment, type Segment } from './core/segment.js';
import { dataName, hintName, keydirName, manifestName } from './core/segment-names.js';
import { KeydirCheck } from './keydir-check.js';
import { readManifest } from './manifest-file.js';
import { openBitcask } from './open-bitcask.js';
import { countCodecs, verifySegments } from './verify-segments.js';

/**
 * What can be done with a directory that no process has open: for tools. `verifyBitcask` and `bitcaskStats` change
 * nothing and take no lock; `rebuildHints` locks the directory and touches indexes only; `snapshotBitcask` opens the
 * store.
 */

/** Reads every record, every hint and the snapshot of the key directory of a store; what is wrong is in the report. Rejects only where there is no store, or with the disk's error. */
export async function verifyBitcask(disk: Disk, directory: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  const path = `${directory}/${manifestName}`;
  let manifest: Manifest;
  try {
    manifest = await manifestOf(disk, directory);
  } catch (error) {
    if (!(error instanceof BitcaskError) || error.code !== 'CORRUPT') throw error;
    const problem = { file: path, offset: 0, bytes: 0, what: error.message };
    return { segments: 0, records: 0, bytes: 0, byCodec: countCodecs(), problems: [problem] };
  }
  const problems: VerifyProblem[] = [];
  const segments: Segment[] = [];
  for (const entry of manifest.entries) segments.push(await segmentOf(disk, directory, entry, problems));
  const check = await KeydirCheck.open(disk, directory, manifest, problems);
  const onSegment = (segment: Segment, newest: Keydir) => check?.segment(segment, newest);
  const report = await verifySegments(
    { options: { disk, directory }, segments, isLive: () => true, onSegment },
    options,
  );
  check?.finish(report.problems.length === 0);
  return { ...report, problems: [...problems, ...report.problems] };
}

/** How far `rebuildHints` has come. */
export interface RebuildHintsOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (segmentsDone: number, segmentsTotal: number) => void;
}

/** What `rebuildHints` did: segments whose hint was written, and those that could not be read. */
export interface RebuildHintsReport {
  readonly rebuilt: number;
  readonly problems: readonly VerifyProblem[];
}

/** Writes the hint of every sealed segment anew, and removes the snapshot of the key directory: the next opening makes it of these. Rejects with `LOCKED` where the store is open. */
export async function rebuildHints(
  disk: Disk,
  directory: string,
  options: RebuildHintsOptions = {},
): Promise<RebuildHintsReport> {
  const lock = await lockOf(disk, directory);
  try {
    const { entries } = await manifestOf(disk, directory);
    const sealed = entries.filter((entry) => entry.sealedBytes > 0);
    const problems: VerifyProblem[] = [];
    let done = 0;
    for (const entry of sealed) {
      try {
        const segment = await segmentOf(disk, directory, entry, problems);
        await buildHint(disk, directory, segment, options.signal);
      } catch (error) {
        options.signal?.throwIfAborted();
        problems.push({
          file: `${directory}/${dataName(entry.fileId)}`,
          offset: 0,
          bytes: entry.sealedBytes,
          what: error instanceof Error ? error.message : String(error),
        });
      }
      options.onProgress?.(++done, sealed.length);
    }
    if ((await disk.stat(`${directory}/${keydirName}`)) !== undefined) await disk.remove(`${directory}/${keydirName}`);
    return { rebuilt: sealed.length - problems.length, problems };
  } finally {
    await lock.release();
  }
}

/** The numbers of a store that nobody writes to: opens it read-only. */
export async function bitcaskStats(disk: Disk, directory: string): Promise<BitcaskStats> {
  const store = await openBitcask({ directory, disk, readOnly: true });
  try {
    return store.stats();
  } finally {
    await store.close();
  }
}

/**
 * A snapshot of a store that nobody has open, as `Bitcask.snapshot` makes it. Opens the store for writing, so that what
 * a crash left is settled first. Rejects with `LOCKED` where the store is open, `IO_ERROR` where there is none.
 */
export async function snapshotBitcask(
  disk: Disk,
  directory: string,
  target: string,
  options: SnapshotOptions = {},
): Promise<SnapshotResult> {
  // Read first: opening would make an empty store where there is none.
  await manifestOf(disk, directory);
  // A horizon of zero: what has expired is for the owner of the store to judge.
  const store = await openBitcask({ directory, disk, merge: { enabled: false }, horizon: () => 0 });
  try {
    return await store.snapshot(target, options);
  } finally {
    await store.close();
  }
}

async function manifestOf(disk: Disk, directory: string): Promise<Manifest> {
  const manifest = await readManifest(disk, `${directory}/${manifestName}`);
  if (manifest !== undefined) return manifest;
  throw new BitcaskError('IO_ERROR', `there is no store in '${directory}': it has no ${manifestName}`, {
    details: { directory },
  });
}

/** A listed segment as far as manifest and directory tell; a length that differs is a problem. */
async function segmentOf(
  disk: Disk,
  directory: string,
  entry: ManifestEntry,
  problems: VerifyProblem[],
): Promise<Segment> {
  const file = `${directory}/${dataName(entry.fileId)}`;
  const segment = createSegment({
    fileId: entry.fileId,
    segmentId: entry.segmentId,
    seed: segmentSeedOf(entry.segmentId),
    kind: entry.merged ? 'merged' : 'log',
  });
  const stat = await disk.stat(file);
  segment.sealed = entry.sealedBytes > 0;
  segment.bytes = segment.sealed ? entry.sealedBytes : (stat?.bytes ?? segment.bytes);
  segment.hinted = (await disk.stat(`${directory}/${hintName(entry.fileId)}`)) !== undefined;
  if (stat !== undefined && segment.sealed && stat.bytes > entry.sealedBytes) {
    problems.push({
      file,
      offset: entry.sealedBytes,
      bytes: stat.bytes - entry.sealedBytes,
      what: 'the file is longer than it was when it was sealed',
    });
  }
  return segment;
}

async function lockOf(disk: Disk, directory: string) {
  try {
    return await disk.lockDirectory(directory, { description: 'rebuild-hints' });
  } catch (error) {
    throw new BitcaskError('LOCKED', `'${directory}' cannot be locked; close the store first: ${String(error)}`, {
      cause: error,
      details: { directory },
    });
  }
}
