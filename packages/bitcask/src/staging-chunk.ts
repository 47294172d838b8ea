import { layRecord, markBytes, type RecordContent, recordBytesOf } from './core/record.js';

/**
 * Where writes wait for the writer, already in the form in which they will be written.
 *
 * A call lays its records out here at once, so its buffers are free when it returns and nothing is allocated per
 * record; the writer later stamps sequences and checksums in place and writes a run of entries with one call. The
 * first bytes are kept free for a mark.
 */

/** What must hold for an entry to be written. Judged by the writer, in order. */
export type Guard =
  /** `revision` undefined: write if there is a key to delete. */
  | { readonly kind: 'delete'; readonly revision: number | undefined; readonly horizonMs: number }
  | { readonly kind: 'put'; readonly revision: number; readonly horizonMs: number };

/** How an entry ended. */
export type Outcome =
  | { readonly kind: 'written'; readonly sequence: number; readonly wasLive: boolean }
  | { readonly kind: 'skipped'; readonly sequence: number; readonly wasLive: boolean }
  | { readonly kind: 'failed'; readonly error: Error };

/** One call's records, adjacent in its chunk. */
export interface WriteEntry {
  /** Positions in the chunk; moved when an entry before it falls away. */
  start: number;
  end: number;
  readonly records: number;
  readonly sync: boolean;
  readonly guard: Guard | undefined;
  readonly settle: (outcome: Outcome) => void;
  /** Set by the writer, step by step. */
  outcome: Outcome | undefined;
  /** Its bytes are in the file. */
  written: boolean;
  wasLive: boolean;
  fileId: number;
  offset: number;
  lastSequence: number;
}

/** What a caller says of an entry; the writer adds the rest. */
export type NewEntry = Pick<WriteEntry, 'records' | 'sync' | 'guard' | 'settle'>;

/** A buffer of records to be written, with the calls they belong to. */
export class StagingChunk {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly entries: WriteEntry[] = [];
  end = markBytes;
  /** What callers reserved, written or not; kept by the queue. */
  reservedBytes = 0;
  /** Resolves when the records are laid out; for values compressed on other threads. Never rejects. */
  prepared: Promise<void> | undefined;

  constructor(capacityBytes: number) {
    this.bytes = new Uint8Array(markBytes + capacityBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  get capacityBytes(): number {
    return this.bytes.length - markBytes;
  }

  hasRoom(bytes: number): boolean {
    return this.end + bytes <= this.bytes.length;
  }

  /** Lays one record out behind the last. */
  lay(content: RecordContent): void {
    this.end = layRecord(this.bytes, this.view, this.end, content);
  }

  /** Ends an entry that began at `start`. */
  addEntry(start: number, entry: NewEntry): void {
    this.entries.push({
      ...entry,
      start,
      end: this.end,
      outcome: undefined,
      written: false,
      wasLive: false,
      fileId: 0,
      offset: 0,
      lastSequence: 0,
    });
  }

  /** Empties the chunk for use by the next writes. */
  reset(): void {
    this.entries.length = 0;
    this.end = markBytes;
    this.reservedBytes = 0;
    this.prepared = undefined;
  }
}

/** Bytes that a record of this content takes. */
export function contentBytes(content: RecordContent): number {
  return recordBytesOf(content.key.length, content.stored.length, content.expiresAtMs > 0, content.codec !== 0);
}
