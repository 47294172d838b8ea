import { type DiskFile, isErrno } from '@shanghai/env';
import { BitcaskError } from './bitcask-error.js';
import { IndexLoader } from './core/index-loader.js';
import type { ManifestEntry } from './core/manifest-codec.js';
import { segmentSeedOf } from './core/record.js';
import { createSegment, type Segment } from './core/segment.js';
import { dataName } from './core/segment-names.js';
import type { StoreIndex } from './core/store-index.js';
import { damagedSegment } from './damaged-segment.js';
import { loadFromData, loadFromHint } from './load-segment.js';
import type { ManifestFile } from './manifest-file.js';
import { readSegmentHeader } from './read-segment-header.js';
import type { ResolvedBitcaskOptions } from './resolve-bitcask-options.js';
import { settleTail } from './torn-tail.js';

/**
 * Fills the index from the segments that the manifest lists, and brings the one that was being written to an end: a
 * torn tail is cut, the segment sealed. Nothing is removed here and nothing is written before everything was read.
 */
export async function recoverStore(
  options: ResolvedBitcaskOptions,
  manifest: ManifestFile,
  index: StoreIndex,
): Promise<void> {
  const loader = new IndexLoader(index);
  const { entries, sequenceFloor } = manifest.current;
  let lastSequence = sequenceFloor;
  const sealed = new Map<number, number>();
  const empty = new Set<number>();
  for (const entry of entries) {
    const segment = await recoverSegment(options, index, loader, entry);
    lastSequence = Math.max(lastSequence, segment.maxSequence);
    if (entry.sealedBytes > 0) continue;
    if (segment.maxSequence > 0) sealed.set(segment.fileId, segment.bytes);
    else empty.add(segment.fileId);
  }
  index.visibleSequence = lastSequence;
  for (const fileId of empty) index.segments.delete(fileId);
  if (!options.readOnly && sealed.size + empty.size > 0)
    await manifest.replace({ sealed, removed: empty }, lastSequence);
}

async function recoverSegment(
  options: ResolvedBitcaskOptions,
  index: StoreIndex,
  loader: IndexLoader,
  entry: ManifestEntry,
): Promise<Segment> {
  const startedMs = options.clock.monotonicMs();
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
    const segment = createSegment({
      fileId: entry.fileId,
      segmentId: entry.segmentId,
      seed: segmentSeedOf(entry.segmentId),
      kind: header.kind,
    });
    segment.bytes = await file.size();
    segment.sealed = true;
    segment.tombstonesNeeded = entry.tombstonesNeeded;
    index.segments.set(segment.fileId, segment);
    if (isSealed && segment.bytes !== entry.sealedBytes) throw lengthDiffers(path, segment.bytes, entry.sealedBytes);
    const fromHint = isSealed && (await loadFromHint(options.disk, options.directory, segment, loader));
    if (!fromHint)
      await readSegment(options, file, segment, header.baseSequence, loader, isSealed ? undefined : witnessedEnd);
    options.listener.recovered?.({
      file: path,
      from: fromHint ? 'hint' : 'scan',
      records: segment.maxSequence === 0 ? 0 : segment.maxSequence - segment.minSequence + 1,
      durationMs: options.clock.monotonicMs() - startedMs,
    });
    return segment;
  } finally {
    await file.close();
  }
}

/** Loads by reading. `witnessedEnd` is there for the segment that was being written, whose end may be torn. */
async function readSegment(
  options: ResolvedBitcaskOptions,
  file: DiskFile,
  segment: Segment,
  baseSequence: number,
  loader: IndexLoader,
  witnessedEnd: number | undefined,
): Promise<void> {
  const scan = await loadFromData(file, segment, baseSequence, loader);
  if (witnessedEnd !== undefined) {
    await settleTail(options, file, segment, { validEnd: scan.validEnd, problem: scan.problem, witnessedEnd });
  } else if (scan.problem !== undefined) {
    throw damagedSegment(file.path, scan.validEnd, segment.bytes, scan.problem);
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
