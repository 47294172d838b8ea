import type { Disk, DiskFile } from '@shanghai/env';
import { BitcaskError } from './bitcask-error.js';
import { createHintEntry } from './core/hint-codec.js';
import { createKeydir, type Keydir } from './core/keydir.js';
import { recordFlags } from './core/record.js';
import type { Segment } from './core/segment.js';
import { dataName } from './core/segment-names.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import type { RecordSink } from './core/unit-parser.js';
import { HintWriter } from './hint-writer.js';
import { scanSegment } from './segment-scan.js';

/**
 * Writes the hint of a sealed segment by reading the segment. A small key directory sorts the keys; positions in it
 * borrow `fileId` to say what kind of record it is.
 */
const putKind = 1;
const tombstoneKind = 2;

/** Rejects with `CORRUPT` where a record is damaged, or with the disk's error; then there is no hint, which costs time only. */
export async function buildHint(disk: Disk, directory: string, segment: Segment, signal?: AbortSignal): Promise<void> {
  const path = `${directory}/${dataName(segment.fileId)}`;
  const file = await disk.open(path, 'read');
  try {
    const newest = await newestPerKey(file, path, segment, signal);
    await writeHint(disk, directory, segment, newest, signal);
  } finally {
    await file.close();
  }
}

async function newestPerKey(
  file: DiskFile,
  path: string,
  segment: Segment,
  signal: AbortSignal | undefined,
): Promise<Keydir> {
  const newest = createKeydir({ chunkBytes: 65_536 });
  const position = emptyPosition();
  const sink: RecordSink = (bytes, fields, offset) => {
    position.fileId = (fields.flags & recordFlags.tombstone) !== 0 ? tombstoneKind : putKind;
    position.offset = offset;
    position.recordBytes = fields.recordBytes;
    position.sequence = fields.sequence;
    position.expires = (fields.flags & recordFlags.expires) !== 0;
    newest.set(bytes.subarray(fields.keyStart, fields.valueStart), position);
  };
  // In a merged segment sequences follow no order and a base of 0 is not looked at.
  const baseSequence = segment.kind === 'log' ? segment.minSequence - 1 : 0;
  const scan = await scanSegment(file, segment, { baseSequence, endOffset: segment.bytes, signal }, sink);
  if (scan.problem === undefined) return newest;
  throw new BitcaskError('CORRUPT', `'${path}' is damaged at ${scan.validEnd}: ${scan.problem}`, {
    details: { file: path, offset: scan.validEnd, bytes: segment.bytes - scan.validEnd },
  });
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
