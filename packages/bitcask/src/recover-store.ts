import { type DiskFile, isErrno, readFully } from '@shanghai/env';
import { BitcaskError } from './bitcask-error.js';
import { IndexLoader } from './core/index-loader.js';
import type { ManifestEntry } from './core/manifest-codec.js';
import { segmentSeedOf } from './core/record.js';
import { createSegment, type Segment } from './core/segment.js';
import { decodeSegmentHeader, decodeWitness, type SegmentHeader, segmentHeaderBytes } from './core/segment-header.js';
import { dataName } from './core/segment-names.js';
import type { StoreIndex } from './core/store-index.js';
import { loadFromData, loadFromHint } from './load-segment.js';
import type { ManifestFile } from './manifest-file.js';
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
    const { header, witnessedEnd } = await readHeader(file, path, entry);
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
    throw damaged(file.path, scan.validEnd, segment.bytes, scan.problem);
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

async function readHeader(
  file: DiskFile,
  path: string,
  entry: ManifestEntry,
): Promise<{ header: SegmentHeader; witnessedEnd: number }> {
  const bytes = new Uint8Array(segmentHeaderBytes);
  const decoded = decodeSegmentHeader(bytes.subarray(0, await readFully(file, bytes, 0)));
  const details = { file: path, offset: 0, bytes: segmentHeaderBytes };
  if (decoded.kind === 'unsupported') {
    throw new BitcaskError(
      'UNSUPPORTED_FORMAT',
      `'${path}' was written by a newer program: ${decoded.what}; open it with that one`,
      { details },
    );
  }
  const what = decoded.kind === 'damaged' ? decoded.what : mismatch(decoded.value, entry);
  if (decoded.kind === 'damaged' || what !== undefined) {
    throw new BitcaskError(
      'CORRUPT',
      `the header of '${path}' is damaged: ${what}; restore the file from a replica or a backup`,
      { details },
    );
  }
  return { header: decoded.value, witnessedEnd: decodeWitness(bytes, segmentSeedOf(entry.segmentId)) };
}

function mismatch(header: SegmentHeader, entry: ManifestEntry): string | undefined {
  if (
    header.fileId === entry.fileId &&
    header.segmentId === entry.segmentId &&
    (header.kind === 'merged') === entry.merged
  )
    return undefined;
  return 'it is the header of another segment';
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

/** The error for a segment that cannot be read from `offset` on. */
export function damaged(path: string, offset: number, endOffset: number, what: string): BitcaskError {
  return new BitcaskError(
    'CORRUPT',
    `'${path}' is damaged at ${offset}: ${what}; ${endOffset - offset} bytes are in doubt, restore the file from a replica or a backup`,
    {
      details: { file: path, offset, bytes: endOffset - offset },
    },
  );
}
