import { type DiskFile, isErrno } from '@shanghai/env';
import type { OpenedFrom } from './bitcask.js';
import { BitcaskError } from './bitcask-error.js';
import { IndexLoader } from './core/index-loader.js';
import type { ManifestEntry } from './core/manifest-codec.js';
import { segmentSeedOf } from './core/record.js';
import { createSegment, type Segment } from './core/segment.js';
import { dataName, keydirName } from './core/segment-names.js';
import type { StoreIndex } from './core/store-index.js';
import { damagedSegment } from './damaged-segment.js';
import { type LoadedKeydir, readKeydirSnapshot } from './keydir-snapshot-reader.js';
import type { CoveredState } from './keydir-snapshots.js';
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

/** What recovery did. */
export interface Recovery {
  readonly opened: OpenedFrom;
  /** The state of the snapshot on the disk, where it was used. */
  readonly covered: CoveredState | undefined;
}

/**
 * Fills the index from the segments that the manifest lists: from the snapshot of the key directory where it is usable, from
 * hints where there are, else by reading. Brings the segment that was being written to an end: a torn tail is cut, the segment
 * sealed. Nothing is removed here and nothing is written to the manifest before everything was read; then `onRead` is
 * called, and waited for. `hints`: the file ids whose hint is there.
 */
export async function recoverStore(
  options: ResolvedBitcaskOptions,
  manifest: ManifestFile,
  index: StoreIndex,
  hints: ReadonlySet<number>,
  onRead: () => Promise<void>,
): Promise<Recovery> {
  const { disk, directory, clock } = options;
  const loader = new IndexLoader(index);
  const startedMs = clock.monotonicMs();
  const found: FoundSegment[] = [];
  for (const entry of manifest.current.entries) {
    const one = await findSegment(options, entry);
    index.segments.set(one.segment.fileId, one.segment);
    found.push(one);
  }
  const loaded = await loadSnapshot(options, manifest, index, hints);
  const isCovered = (one: FoundSegment) => loaded?.segments.has(one.segment.fileId) === true;
  const rest = found.filter((one) => one.isSealed && !isCovered(one)).map((one) => one.segment);
  await loadFromHints(disk, directory, rest, index, loader, options.maxOpenFiles);
  const counts = { snapshot: 0, hint: 0, scan: 0 };
  for (const one of found) {
    const from = isCovered(one) ? 'snapshot' : one.segment.hinted ? 'hint' : 'scan';
    counts[from]++;
    if (from === 'scan') await readSegment(options, one, loader);
    tellRecovered(options, one.segment, from, startedMs);
  }
  await onRead();
  await sealLast(options, manifest, index, found);
  const opened = {
    snapshotSegments: counts.snapshot,
    hintSegments: counts.hint,
    scannedSegments: counts.scan,
    durationMs: clock.monotonicMs() - startedMs,
  };
  if (loaded === undefined) return { opened, covered: undefined };
  const { segments, visibleSequence } = loaded;
  return { opened, covered: { fileIds: new Set(segments.keys()), visibleSequence } };
}

/** Puts the snapshot of the key directory into the index, if it is usable. */
async function loadSnapshot(
  options: ResolvedBitcaskOptions,
  manifest: ManifestFile,
  index: StoreIndex,
  hints: ReadonlySet<number>,
): Promise<LoadedKeydir | undefined> {
  const { disk, directory, listener, keydirSnapshot } = options;
  if (!keydirSnapshot.enabled) return undefined;
  const reading = await readKeydirSnapshot(disk, directory, manifest.current);
  if (reading.kind !== 'loaded') {
    if (reading.kind !== 'absent') {
      const file = `${directory}/${keydirName}`;
      listener.keydirSnapshotUnused?.({ file, reason: reading.kind, why: reading.why });
    }
    return undefined;
  }
  const { value } = reading;
  index.adopt(value.keydir);
  index.keysByFirstByte.set(value.keysByFirstByte);
  for (const covered of value.segments.values()) {
    const segment = index.segment(covered.fileId);
    segment.liveBytes = covered.liveBytes;
    segment.tombstoneBytes = covered.tombstoneBytes;
    segment.minSequence = covered.minSequence;
    segment.maxSequence = covered.maxSequence;
    segment.hinted = hints.has(covered.fileId);
  }
  return value;
}

function tellRecovered(
  options: ResolvedBitcaskOptions,
  segment: Segment,
  from: 'snapshot' | 'hint' | 'scan',
  startedMs: number,
): void {
  options.listener.recovered?.({
    file: `${options.directory}/${dataName(segment.fileId)}`,
    from,
    records: segment.maxSequence === 0 ? 0 : segment.maxSequence - segment.minSequence + 1,
    durationMs: options.clock.monotonicMs() - startedMs,
  });
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
