import type { KeydirPosition } from './core/keydir.js';
import type { ReadRecord, RecordReader } from './record-reader.js';

/** Reads in flight: enough for a disk that answers late, few enough for the thread pool others share. */
const parallelReads = 8;

/** Records this near to each other are fetched together: skipping costs less than another call. */
const gapBytes = 4_096;
const spanBytes = 524_288;

/**
 * Reads many records: sorted by place, neighbours with one call of the disk. Results are in the order of `positions`.
 * A merged segment lies in key order, so a range over it becomes a few large reads.
 */
export async function readRecords(reader: RecordReader, positions: readonly KeydirPosition[]): Promise<ReadRecord[]> {
  const order = positions.map((_, i) => i).sort((a, b) => byPlace(at(positions, a), at(positions, b)));
  const records = new Array<ReadRecord>(positions.length);
  const reads: Promise<void>[] = [];
  for (let from = 0; from < order.length; ) {
    const first = at(positions, order[from] as number);
    let to = from;
    let end = first.offset;
    for (; to < order.length; to++) {
      const next = at(positions, order[to] as number);
      if (
        to > from &&
        (next.fileId !== first.fileId ||
          next.offset > end + gapBytes ||
          next.offset + next.recordBytes - first.offset > spanBytes)
      )
        break;
      end = Math.max(end, next.offset + next.recordBytes);
    }
    reads.push(readSpan(reader, positions, order.slice(from, to), first, end, records));
    if (reads.length === parallelReads) await Promise.all(reads.splice(0));
    from = to;
  }
  await Promise.all(reads);
  return records;
}

async function readSpan(
  reader: RecordReader,
  positions: readonly KeydirPosition[],
  members: readonly number[],
  first: KeydirPosition,
  end: number,
  records: ReadRecord[],
): Promise<void> {
  const bytes = new Uint8Array(end - first.offset);
  const read = await reader.readBytes(first, bytes);
  for (const member of members) {
    const position = at(positions, member);
    const start = position.offset - first.offset;
    records[member] = reader.check(bytes, start, Math.min(read - start, position.recordBytes), position);
  }
}

function byPlace(a: KeydirPosition, b: KeydirPosition): number {
  return a.fileId === b.fileId ? a.offset - b.offset : a.fileId - b.fileId;
}

function at(positions: readonly KeydirPosition[], index: number): KeydirPosition {
  return positions[index] as KeydirPosition;
}
