import type { Disk, DiskFile } from '@shanghai/env';
import type { IndexLoader } from './core/index-loader.js';
import { recordFlags } from './core/record.js';
import { countRecord, type Segment } from './core/segment.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import type { RecordSink } from './core/unit-parser.js';
import { HintInvalid, openHint } from './hint-reader.js';
import { type ScanResult, scanSegment } from './segment-scan.js';

/** Loads a sealed segment from its hint; false where it has no valid one. Then some of it may be loaded, all of it right. */
export async function loadFromHint(
  disk: Disk,
  directory: string,
  segment: Segment,
  loader: IndexLoader,
): Promise<boolean> {
  const hint = await openHint(disk, directory, segment);
  if (hint === undefined) return false;
  const position = emptyPosition();
  position.fileId = segment.fileId;
  const { entry, header } = hint;
  try {
    while (await hint.load()) {
      while (hint.advance()) {
        position.offset = entry.offset;
        position.recordBytes = entry.recordBytes;
        position.sequence = entry.sequence;
        position.expires = entry.expires;
        if (entry.tombstone) {
          segment.tombstoneBytes += entry.recordBytes;
          loader.tombstone(hint.key(), position);
        } else {
          loader.put(hint.key(), position);
        }
      }
    }
  } catch (error) {
    if (!(error instanceof HintInvalid)) throw error;
    segment.tombstoneBytes = 0;
    return false;
  } finally {
    await hint.close();
  }
  if (header.maxSequence > 0) {
    segment.minSequence = header.minSequence;
    segment.maxSequence = header.maxSequence;
  }
  segment.hinted = true;
  return true;
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
