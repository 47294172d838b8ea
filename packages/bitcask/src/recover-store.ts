import { type DiskFile, isErrno } from '@shanghai/env';
import { BitcaskError } from './bitcask-error.js';
import { IndexLoader } from './core/index-loader.js';
import type { ManifestEntry } from './core/manifest-codec.js';
import { segmentSeedOf } from './core/record.js';
import { createSegment, type Segment } from './core/segment.js';
import { dataName } from './core/segment-names.js';
import type { StoreIndex } from './core/store-index.js';
import { damagedSegment } from './damaged-segment.js';
import { loadFromData, loadFromHints } from './load-segment.js';
import type { ManifestFile } from './manifest-file.js';
import { readSegmentHeader } from './read-segment-header.js';
import type { ResolvedBitcaskOptions } from './resolve-bitcask-options.js';
import { settleTail } from './torn-tail.js';

/** A listed segment that was found and identified, not yet loaded. */
interface FoundSegment {
  readonly segment: Segment;
  readonly isSealed: boolean;
  readonly baseSequence: number;
  readonly witnessedEnd: number;
}

/**
 * Fills the index from the segments that the manifest lists: from hints where there are, else by reading. Brings the
 * segment that was being written to an end: a torn tail is cut, the segment sealed. Nothing is removed here and nothing
 * is written to the manifest before everything was read; then `onRead` is called, and waited for.
 */
export async function recoverStore(
  options: ResolvedBitcaskOptions,
  manifest: ManifestFile,
  index: StoreIndex,
  onRead: () => Promise<void>,
): Promise<void> {
  const { disk, directory, listener, clock } = options;
  const loader = new IndexLoader(index);
  const startedMs = clock.monotonicMs();
  const found: FoundSegment[] = [];
  for (const entry of manifest.current.entries) {
    const one = await findSegment(options, entry);
    index.segments.set(one.segment.fileId, one.segment);
    found.push(one);
  }
  const sealed = found.filter((one) => one.isSealed).map((one) => one.segment);
  await loadFromHints(disk, directory, sealed, index, loader);
  for (const one of found) {
    const { segment } = one;
    if (!segment.hinted) await readSegment(options, one, loader);
    listener.recovered?.({
      file: `${directory}/${dataName(segment.fileId)}`,
      from: segment.hinted ? 'hint' : 'scan',
      records: segment.maxSequence === 0 ? 0 : segment.maxSequence - segment.minSequence + 1,
      durationMs: clock.monotonicMs() - startedMs,
    });
  }
  await onRead();
  await sealLast(options, manifest, index, found);
}

/** Settles what was being written: sealed with its length, or taken out where it holds nothing. */
async function sealLast(
  options: ResolvedBitcaskOptions,
  manifest: ManifestFile,
  index: StoreIndex,
  found: readonly FoundSegment[],
): Promise<void> {
  const sealed = new Map<number, number>();
  const removed = new Set<number>();
  let lastSequence = manifest.current.sequenceFloor;
  for (const { segment, isSealed } of found) {
    lastSequence = Math.max(lastSequence, segment.maxSequence);
    if (isSealed) continue;
    if (segment.maxSequence > 0) sealed.set(segment.fileId, segment.bytes);
    else removed.add(segment.fileId);
  }
  index.visibleSequence = lastSequence;
  for (const fileId of removed) index.segments.delete(fileId);
  if (!options.readOnly && sealed.size + removed.size > 0) await manifest.replace({ sealed, removed }, lastSequence);
}

async function findSegment(options: ResolvedBitcaskOptions, entry: ManifestEntry): Promise<FoundSegment> {
  const path = `${options.directory}/${dataName(entry.fileId)}`;
  const isSealed = entry.sealedBytes > 0;
  const file = await openListed(options, path, isSealed || options.readOnly ? 'read' : 'write');
  try {
    if (!isSealed && !options.readOnly) {
      // What is read now must be what a crash in a minute would leave: not only pages of a process that died.
      await file.sync();
      await options.disk.syncDirectory(options.directory);
    }
    const { header, witnessedEnd } = await readSegmentHeader(file, entry);
    const { fileId, segmentId } = entry;
    const segment = createSegment({ fileId, segmentId, seed: segmentSeedOf(segmentId), kind: header.kind });
    segment.bytes = await file.size();
    segment.sealed = true;
    segment.tombstonesNeeded = entry.tombstonesNeeded;
    if (isSealed && segment.bytes !== entry.sealedBytes) throw lengthDiffers(path, segment.bytes, entry.sealedBytes);
    return { segment, isSealed, baseSequence: header.baseSequence, witnessedEnd };
  } finally {
    await file.close();
  }
}

/** Loads by reading; settles the end of the segment that was being written, which may be torn. */
async function readSegment(options: ResolvedBitcaskOptions, found: FoundSegment, loader: IndexLoader): Promise<void> {
  const { segment, isSealed, baseSequence, witnessedEnd } = found;
  const path = `${options.directory}/${dataName(segment.fileId)}`;
  const file = await openListed(options, path, isSealed || options.readOnly ? 'read' : 'write');
  try {
    const scan = await loadFromData(file, segment, baseSequence, loader);
    if (!isSealed) {
      await settleTail(options, file, segment, { validEnd: scan.validEnd, problem: scan.problem, witnessedEnd });
    } else if (scan.problem !== undefined) {
      throw damagedSegment(path, scan.validEnd, segment.bytes, scan.problem);
    }
  } finally {
    await file.close();
  }
}

async function openListed(options: ResolvedBitcaskOptions, path: string, mode: 'read' | 'write'): Promise<DiskFile> {
  try {
    return await options.disk.open(path, mode);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    throw new BitcaskError(
      'CORRUPT',
      `'${path}' is missing, although the manifest lists it; restore it from a replica or a backup`,
      {
        cause: error,
        details: { file: path, offset: 0, bytes: 0 },
      },
    );
  }
}

function lengthDiffers(path: string, bytes: number, sealedBytes: number): BitcaskError {
  const what = bytes < sealedBytes ? 'was cut off' : 'has grown';
  return new BitcaskError(
    'CORRUPT',
    `'${path}' ${what}: it has ${bytes} bytes and was sealed with ${sealedBytes}; restore it from a replica or a backup`,
    {
      details: { file: path, offset: Math.min(bytes, sealedBytes), bytes: Math.abs(bytes - sealedBytes) },
    },
  );
}
