/**
 * Writes a sealed segment again with smaller records in the place of some: for a log whose owner keeps of some records only
 * that they were there. LSNs, streams and kinds stay; frames are put together up to the usual length, each with the wall
 * time of its last record, so that a search by time finds its place as before or a little earlier.
 *
 * The new file is written beside, under a directory that no log knows, and is whole and synced before its owner renames it to the
 * segment's name: a crash leaves the one or the other. Nobody may have the log open while the name changes.
 */
import { type Disk, invariant, type Random } from '@shanghai/env';
import { footerFlag, lostFlag, replacesFlag } from '../core/frame.js';
import { FrameBatch, frameTargetBytes } from '../core/frame-batch.js';
import { recordHeaderBytes } from '../core/record.js';
import { baseLsnOf } from '../core/segment-names.js';
import { selectRecords } from '../read/select-records.js';
import { cursorOver, openSegment } from '../recovery/open-segment.js';
import type { WalEntry } from '../wal.js';
import { SalvageWriter } from './salvage-writer.js';

/** What is thinned, and where to. */
export interface ThinSegmentOptions {
  readonly disk: Disk;
  readonly random: Random;
  /** The log's. */
  readonly directory: string;
  /** Name of a segment that has a successor. */
  readonly segment: string;
  /** An empty directory for the new file, which gets the segment's name. On the same file system. */
  readonly scratch: string;
  /** The payload that takes the place of an entry's; its own where it stays. */
  replace(entry: WalEntry): Uint8Array;
}

/** What became of a segment. */
export interface ThinnedSegment {
  readonly path: string;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/**
 * Thins a segment. Resolves to `undefined`, with nothing left behind, where it holds frames that stand for lost records
 * or replace a stream. Rejects with `CORRUPT` where it does not read, and with errors of the disk.
 */
export async function thinSegment(options: ThinSegmentOptions): Promise<ThinnedSegment | undefined> {
  const { disk, random, directory, segment: name, scratch } = options;
  const baseLsn = baseLsnOf(name);
  if (baseLsn === undefined) throw new RangeError(`'${name}' is no name of a segment`);
  const file = await disk.open(`${directory}/${name}`, 'read');
  try {
    const segment = await openSegment(file, directory, name, baseLsn);
    const { logId, createdMs } = segment.header;
    // Whatever was in one segment is in one again.
    const capacityBytes = Math.max(segment.header.capacityBytes, segment.fileBytes + frameTargetBytes);
    const writer = new SalvageWriter(disk, random, { directory: scratch, logId, createdMs, capacityBytes });
    const gathered = new Gathered(writer);
    try {
      const cursor = cursorOver(file, segment);
      for (let offset = segment.endOffset; (await cursor.load(offset)) === 'frame'; offset += cursor.length) {
        const { firstLsn, count, flags } = cursor;
        if ((flags & footerFlag) !== 0) break;
        if ((flags & (lostFlag | replacesFlag)) !== 0) return undefined;
        const choice = { from: firstLsn, to: firstLsn + count, stream: undefined, replaced: undefined };
        for (const entry of selectRecords(cursor, choice)) await gathered.add(entry, options.replace(entry));
      }
      await gathered.flush();
      await writer.seal();
    } finally {
      await writer.close();
    }
    await disk.syncDirectory(scratch);
    const path = `${scratch}/${name}`;
    return { path, bytesBefore: segment.fileBytes, bytesAfter: (await disk.stat(path))?.bytes ?? 0 };
  } finally {
    await file.close();
  }
}

/** Records on their way into frames. */
class Gathered {
  readonly #writer: SalvageWriter;
  readonly #batch = new FrameBatch();
  #records: { readonly entry: WalEntry; readonly payload: Uint8Array }[] = [];
  #bytes = 0;

  constructor(writer: SalvageWriter) {
    this.#writer = writer;
  }

  async add(entry: WalEntry, payload: Uint8Array): Promise<void> {
    const bytes = recordHeaderBytes + payload.length;
    if (this.#records.length > 0 && this.#bytes + bytes > frameTargetBytes) await this.flush();
    this.#records.push({ entry, payload });
    this.#bytes += bytes;
  }

  async flush(): Promise<void> {
    const [first] = this.#records;
    if (first === undefined) return;
    const last = this.#records.at(-1) as typeof first;
    const batch = this.#batch;
    batch.reset();
    batch.beginUnit(this.#records.length, this.#bytes - this.#records.length * recordHeaderBytes);
    for (const { entry, payload } of this.#records) batch.add(payload, entry.stream, entry.kind);
    batch.finish();
    invariant(last.entry.lsn === first.entry.lsn + this.#records.length - 1, 'records of a segment follow each other');
    await this.#writer.write(first.entry.lsn, last.entry.wallTimeMs, batch, 0);
    this.#records = [];
    this.#bytes = 0;
  }
}
