import type { WriteResult } from './bitcask.js';
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

/**
 * How far an entry has come: `queued`; `written`, its bytes are in the file; then one of `applied`, `skipped` (there
 * was nothing to delete) and `failed`.
 */
export type EntryState = 'queued' | 'written' | 'applied' | 'skipped' | 'failed';

/** One call's records, adjacent in its chunk. One shape for all calls: the writer's loops stay fast. */
export class WriteEntry {
  /** Its records must be durable before it is answered, whatever the mode. */
  readonly sync: boolean;
  readonly guard: Guard | undefined;
  readonly #resolve: (result: WriteResult) => void;
  readonly #reject: (error: Error) => void;
  /** Positions in the chunk; moved when an entry before it falls away. */
  start = 0;
  end = 0;
  /** Set by the writer, step by step. */
  state: EntryState = 'queued';
  wasLive = false;
  fileId = 0;
  offset = 0;
  lastSequence = 0;
  #error: Error | undefined = undefined;

  constructor(
    sync: boolean,
    guard: Guard | undefined,
    resolve: (result: WriteResult) => void,
    reject: (error: Error) => void,
  ) {
    this.sync = sync;
    this.guard = guard;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Whether nothing is decided about it yet. */
  get isOpen(): boolean {
    return this.state === 'queued' || this.state === 'written';
  }

  /** Nothing is to be written: the order of writes stands at `sequence`. */
  skip(sequence: number): void {
    this.state = 'skipped';
    this.lastSequence = sequence;
  }

  fail(error: Error): void {
    this.state = 'failed';
    this.#error = error;
  }

  /** Answers the caller; once, when nothing is open any more. */
  settle(): void {
    if (this.#error === undefined) this.#resolve({ sequence: this.lastSequence });
    else this.#reject(this.#error);
  }
}

/** A buffer of records to be written, with the calls they belong to. */
export class StagingChunk {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly entries: WriteEntry[] = [];
  end = markBytes;
  /** What callers reserved, written or not; kept by the queue. */
  reservedBytes = 0;
  /** Whether an entry has a guard; whether one asks for a sync. */
  guarded = false;
  asksSync = false;
  /** Entries at the front that are settled. */
  settled = 0;
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

  /** Ends an entry whose records begin at `start`. */
  addEntry(start: number, entry: WriteEntry): void {
    entry.start = start;
    entry.end = this.end;
    if (entry.guard !== undefined) this.guarded = true;
    if (entry.sync) this.asksSync = true;
    this.entries.push(entry);
  }

  /** Empties the chunk for use by the next writes. */
  reset(): void {
    this.entries.length = 0;
    this.end = markBytes;
    this.reservedBytes = 0;
    this.guarded = false;
    this.asksSync = false;
    this.settled = 0;
    this.prepared = undefined;
  }
}

/** Bytes that a record of this content takes. */
export function contentBytes(content: RecordContent): number {
  return recordBytesOf(content.key.length, content.stored.length, content.expiresAtMs > 0, content.codec !== 0);
}
