import type { ScanRows } from './core/scan-rows.js';
import type { ScanSpan } from './core/scan-spans.js';
import { RecordMoved, type RecordReader } from './record-reader.js';

/** Calls of the disk in flight: enough for a disk that answers late, few enough for the thread pool others share. */
const parallelReads = 16;

/**
 * Reads spans, several at a time, and resolves when all are done; it never rejects. A row whose bytes could not be
 * read is in `rows.failures`: where a call for many rows fails, each is read alone, so that one bad block costs only
 * its own rows. Stops early, with nothing in flight, when `isWanted` says so.
 */
export function readSpans(
  reader: RecordReader,
  rows: ScanRows,
  spans: readonly ScanSpan[],
  isWanted: () => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    const scratch: Uint8Array[] = [];
    let next = 0;
    let inFlight = 0;
    const startMore = () => {
      for (; inFlight < parallelReads && next < spans.length && isWanted(); next++) {
        inFlight++;
        readSpan(reader, rows, spans[next] as ScanSpan, scratch).then(onDone);
      }
      if (inFlight === 0) resolve();
    };
    const onDone = () => {
      inFlight--;
      startMore();
    };
    startMore();
  });
}

/** Bytes of a buffer that is used again: what a span of several records has at most. */
const scratchBytes = 262_144;

async function readSpan(reader: RecordReader, rows: ScanRows, span: ScanSpan, scratch: Uint8Array[]): Promise<void> {
  const own = span.target === undefined ? (scratch.pop() ?? new Uint8Array(scratchBytes)) : undefined;
  const bytes = own?.subarray(0, span.bytes) ?? (span.target as Uint8Array);
  let read: number;
  try {
    read = await reader.readPlace(span.fileId, span.offset, bytes);
  } catch (error) {
    await readAlone(reader, rows, span, error);
    return;
  }
  for (const row of span.rows) {
    const start = rows.offset(row) - span.offset;
    const end = start + rows.bytesOf(row);
    if (end > read) {
      const position = rows.position(row);
      rows.failures.set(row, reader.corrupt(position, `the file ends after ${Math.max(0, read - start)} of its bytes`));
    } else if (own !== undefined) {
      (rows.blocks[row] as Uint8Array).set(bytes.subarray(start, end), rows.starts[row]);
    }
  }
  if (own !== undefined) scratch.push(own);
}

async function readAlone(reader: RecordReader, rows: ScanRows, span: ScanSpan, error: unknown): Promise<void> {
  for (const row of span.rows) {
    const position = rows.position(row);
    const start = rows.starts[row] as number;
    try {
      if (span.rows.length === 1) throw error;
      const block = rows.blocks[row] as Uint8Array;
      const { offset, recordBytes } = position;
      const read = await reader.readPlace(span.fileId, offset, block.subarray(start, start + recordBytes));
      if (read < recordBytes)
        rows.failures.set(row, reader.corrupt(position, `the file ends after ${read} of its bytes`));
    } catch (failure) {
      const known = reader.failure(failure, position);
      // Files of an open snapshot are not removed: one that is gone was taken by somebody else.
      const gone = known instanceof RecordMoved;
      rows.failures.set(row, gone ? reader.corrupt(position, 'the file is gone', failure) : known);
    }
  }
}
