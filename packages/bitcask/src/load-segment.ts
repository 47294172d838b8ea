import { type Disk, type DiskFile, isFileSystemError } from '@shanghai/env';
import type { IndexLoader } from './core/index-loader.js';
import type { KeydirPosition } from './core/keydir.js';
import { recordFlags } from './core/record.js';
import { countRecord, type Segment } from './core/segment.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import { SortedLoader } from './core/sorted-loader.js';
import type { StoreIndex } from './core/store-index.js';
import type { RecordSink } from './core/unit-parser.js';
import { isOutOfFiles } from './file-pool.js';
import { HintHeap } from './hint-heap.js';
import { HintInvalid, type HintReader, openHint } from './hint-reader.js';
import { type ScanResult, scanSegment } from './segment-scan.js';

/** Three milliseconds of loading, more or less; the first slices are short, because the engine has not compiled anything yet. */
const entriesAtATime = 8_192;
const entriesAtFirst = 64;

/** At most so many hints are walked at a time: each takes a window of memory and an open file. */
const mostHintsTogether = 128;

/**
 * Loads sealed segments from their hints, all together in the order of keys, so that the key directory grows at its end
 * and its pages fill: several times faster than segment by segment. Those without a valid hint are not marked `hinted`;
 * some of them may be loaded then, all of it right. No more than `maxOpenFiles` are open at a time.
 */
export async function loadFromHints(
  disk: Disk,
  directory: string,
  segments: readonly Segment[],
  index: StoreIndex,
  loader: IndexLoader,
  maxOpenFiles: number,
): Promise<void> {
  const hintsTogether = Math.min(mostHintsTogether, maxOpenFiles);
  for (let from = 0; from < segments.length; from += hintsTogether) {
    const together = segments.slice(from, from + hintsTogether);
    if (index.keydir.size > 0) {
      await loadTogether(disk, directory, together, new GeneralSink(loader));
      continue;
    }
    const sorted = new SortedLoader(index, loader);
    await loadTogether(disk, directory, together, sorted);
    sorted.finish();
  }
}

/** What entries in the order of keys go into. */
type SortedSink = Pick<SortedLoader, 'add'>;

/** Where there are keys already, each is looked for. */
class GeneralSink implements SortedSink {
  readonly #loader: IndexLoader;

  constructor(loader: IndexLoader) {
    this.#loader = loader;
  }

  add(bytes: Uint8Array, start: number, keyBytes: number, position: KeydirPosition, tombstone: boolean): void {
    const key = bytes.subarray(start, start + keyBytes);
    if (tombstone) this.#loader.tombstone(key, position);
    else this.#loader.put(key, position);
  }
}

async function loadTogether(
  disk: Disk,
  directory: string,
  segments: readonly Segment[],
  sink: SortedSink,
): Promise<void> {
  const readers: HintReader[] = [];
  const heap = new HintHeap();
  try {
    for (const segment of segments) {
      try {
        const reader = await openHint(disk, directory, segment);
        if (reader === undefined) continue;
        readers.push(reader);
        takeHeader(segment, reader);
        await heap.add(segment, reader);
      } catch (error) {
        forgetHint(segment, error);
      }
    }
    await drainHeap(heap, sink);
  } finally {
    for (const reader of readers) await reader.close();
  }
}

async function drainHeap(heap: HintHeap, sink: SortedSink): Promise<void> {
  const position = emptyPosition();
  let slice = entriesAtFirst;
  let left = slice;
  for (let { top } = heap; top !== undefined; top = heap.top) {
    try {
      left = loadRun(heap, sink, position, left);
      if (left > 0) {
        await heap.load();
        continue;
      }
      await top.reader.breathe();
      slice = Math.min(slice * 2, entriesAtATime);
      left = slice;
    } catch (error) {
      // Whichever hint failed has stayed at the top.
      if (heap.top !== undefined) forgetHint(heap.top.segment, error);
      heap.drop();
    }
  }
}

/** Loads `count` entries, or fewer until a block has to be read; returns how many are left. */
function loadRun(heap: HintHeap, sink: SortedSink, position: KeydirPosition, count: number): number {
  for (let left = count; left > 0; left--) {
    const { top } = heap;
    if (top === undefined) return 0;
    const { entry, segment } = top;
    position.fileId = segment.fileId;
    position.offset = entry.offset;
    position.recordBytes = entry.recordBytes;
    position.sequence = entry.sequence;
    position.expires = entry.expires;
    if (entry.tombstone) segment.tombstoneBytes += entry.recordBytes;
    sink.add(top.bytes, entry.keyStart, entry.keyBytes, position, entry.tombstone);
    if (!heap.advance()) return left;
  }
  return 0;
}

function takeHeader(segment: Segment, reader: HintReader): void {
  segment.hinted = true;
  if (reader.header.maxSequence === 0) return;
  segment.minSequence = reader.header.minSequence;
  segment.maxSequence = reader.header.maxSequence;
}

/**
 * The segment has to be read: back to knowing nothing of it. A hint that the disk does not give is no worse than one that
 * is wrong; whether the disk gives the segment will be seen. Throws everything else.
 */
function forgetHint(segment: Segment, error: unknown): void {
  const isUnreadable = isFileSystemError(error) && !isOutOfFiles(error);
  if (!(error instanceof HintInvalid) && !isUnreadable) throw error;
  segment.hinted = false;
  segment.tombstoneBytes = 0;
  segment.minSequence = Number.POSITIVE_INFINITY;
  segment.maxSequence = 0;
}

/** Loads a segment by reading it, as far as it is valid. */
export function loadFromData(
  file: DiskFile,
  segment: Segment,
  baseSequence: number,
  loader: IndexLoader,
): Promise<ScanResult> {
  const position = emptyPosition();
  position.fileId = segment.fileId;
  const sink: RecordSink = (bytes, fields, offset) => {
    const tombstone = (fields.flags & recordFlags.tombstone) !== 0;
    position.offset = offset;
    position.recordBytes = fields.recordBytes;
    position.sequence = fields.sequence;
    position.expires = (fields.flags & recordFlags.expires) !== 0;
    countRecord(segment, fields.sequence, tombstone, fields.recordBytes);
    const key = bytes.subarray(fields.keyStart, fields.valueStart);
    if (tombstone) loader.tombstone(key, position);
    else loader.put(key, position);
  };
  return scanSegment(file, segment, { baseSequence, endOffset: segment.bytes }, sink);
}
