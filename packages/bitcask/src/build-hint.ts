import type { Disk, DiskFile } from '@shanghai/env';
import { createHintEntry } from './core/hint-codec.js';
import { createKeydir, type Keydir } from './core/keydir.js';
import { recordFlags } from './core/record.js';
import { countRecord, createSegment, type Segment } from './core/segment.js';
import { dataName } from './core/segment-names.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import type { RecordSink } from './core/unit-parser.js';
import { damagedSegment } from './damaged-segment.js';
import { HintWriter } from './hint-writer.js';
import { readSegmentHeader } from './read-segment-header.js';
import { scanSegment } from './segment-scan.js';

/**
 * Writes the hint of a sealed segment by reading the segment. A small key directory sorts the keys; positions in it
 * borrow `fileId` to say what kind of record it is.
 */
const putKind = 1;
const tombstoneKind = 2;

/** Rejects with `CORRUPT` where a record is damaged, or with the disk's error; then there is no hint, which costs time only. */
export async function buildHint(disk: Disk, directory: string, segment: Segment, signal?: AbortSignal): Promise<void> {
  const file = await disk.open(`${directory}/${dataName(segment.fileId)}`, 'read');
  try {
    // Counted anew: whoever asks may know no more of the segment than its identity and length.
    const counted = { ...createSegment(segment), bytes: segment.bytes };
    const newest = await newestPerKey(file, counted, signal);
    await writeHint(disk, directory, counted, newest, signal);
  } finally {
    await file.close();
  }
}

async function newestPerKey(file: DiskFile, segment: Segment, signal: AbortSignal | undefined): Promise<Keydir> {
  const newest = createKeydir({ chunkBytes: 65_536 });
  const position = emptyPosition();
  const sink: RecordSink = (bytes, fields, offset) => {
    const tombstone = (fields.flags & recordFlags.tombstone) !== 0;
    position.fileId = tombstone ? tombstoneKind : putKind;
    position.offset = offset;
    position.recordBytes = fields.recordBytes;
    position.sequence = fields.sequence;
    position.expires = (fields.flags & recordFlags.expires) !== 0;
    countRecord(segment, fields.sequence, tombstone, fields.recordBytes);
    newest.set(bytes.subarray(fields.keyStart, fields.valueStart), position);
  };
  const { baseSequence } = (await readSegmentHeader(file, segment)).header;
  const scan = await scanSegment(file, segment, { baseSequence, endOffset: segment.bytes, signal }, sink);
  if (scan.problem !== undefined) throw damagedSegment(file.path, scan.validEnd, segment.bytes, scan.problem);
  return newest;
}

async function writeHint(
  disk: Disk,
  directory: string,
  segment: Segment,
  newest: Keydir,
  signal: AbortSignal | undefined,
): Promise<void> {
  const writer = await HintWriter.create(disk, directory, segment);
  try {
    const cursor = newest.cursor();
    const position = emptyPosition();
    const entry = createHintEntry();
    for (let there = cursor.seek(); there; there = cursor.next()) {
      cursor.position(position);
      entry.offset = position.offset;
      entry.recordBytes = position.recordBytes;
      entry.sequence = position.sequence;
      entry.tombstone = position.fileId === tombstoneKind;
      entry.expires = position.expires;
      const flushed = writer.add(cursor.key(), entry);
      if (flushed === undefined) continue;
      await flushed;
      signal?.throwIfAborted();
    }
    await writer.finish(segment);
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}
