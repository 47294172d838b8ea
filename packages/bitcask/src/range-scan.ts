import { invariant, loopTurn } from '@shanghai/env';
import type { BitcaskEntry } from './bitcask.js';
import { BitcaskError } from './bitcask-error.js';
import { ScanRows } from './core/scan-rows.js';
import { mostRows, planSpans } from './core/scan-spans.js';
import { takeRows } from './core/snapshot-cursor.js';
import type { Snapshot, SnapshotRange } from './core/snapshots.js';
import type { StoreIndex } from './core/store-index.js';
import { cutPage, type Page } from './cut-page.js';
import { readSpans } from './read-spans.js';
import type { RecordReader } from './record-reader.js';

/**
 * A scan over a snapshot, in batches: take rows from the key directory, plan how they are read, read, hand out pages.
 * From the second batch on the next one is read while the caller consumes.
 *
 * Batches grow. Where the records lie in the order of the keys (a merge put them there) a batch of a few thousand is
 * one or two large reads. Where they lie anywhere, batches grow on: the more rows are wanted at once, the nearer they
 * lie to each other on the disk, until reading the gaps with them costs less than a call for each.
 */

/** Rows of the first batch: ranges are often left early. */
const firstRows = 16;
/** Where rows are neighbours on the disk a batch need not be larger. */
const denseRows = 2_048;
/** Records of a batch in memory, but at least one record; a scan holds two batches. */
const batchBytes = 4_194_304;
/** Rows taken from the directory between two turns of the event loop. */
const sliceRows = 2_048;

/** What a range needs of the store. */
export interface RangeSource {
  readonly index: StoreIndex;
  readonly reader: RecordReader;
  readonly horizonMs: number;
  /** Throws where the store cannot be read any more. */
  assertOpen(): void;
}

/** What is scanned. `limit` is at least 0 and may be `Infinity`. */
export interface ScanRequest {
  readonly range: SnapshotRange;
  readonly limit: number;
  readonly keysOnly: boolean;
}

/** Pages of one range, as it was when the scan was made. It must be ended. */
export class RangeScan {
  readonly #source: RangeSource;
  readonly #request: ScanRequest;
  readonly #snapshot: Snapshot;
  #batch = new ScanRows(0);
  #at = 0;
  #given = 0;
  #batches = 0;
  #batchRows = firstRows;
  #coming: Promise<ScanRows> | undefined;
  #more = true;
  #ended = false;
  #failure: unknown;

  constructor(source: RangeSource, request: ScanRequest) {
    this.#source = source;
    this.#request = request;
    // A caller who says how many it wants gets them with one batch.
    if (request.limit < denseRows) this.#batchRows = Math.max(1, request.limit);
    this.#snapshot = source.index.snapshots.open(source.index.visibleSequence, request.range);
  }

  /** The next entries in order, or `undefined` at the end. Throws at its place what a row failed with. Not to be called again before it has settled. */
  async nextPage(): Promise<BitcaskEntry[] | undefined> {
    for (;;) {
      if (this.#ended || this.#given >= this.#request.limit) return undefined;
      // Rows at hand would otherwise be given one after the other without the event loop ever turning.
      if (this.#batches > 0) await loopTurn();
      if (this.#ended) return undefined;
      this.#source.assertOpen();
      if (this.#at === this.#batch.count) {
        if (this.#failure !== undefined) throw this.#failure;
        if (!(await this.#nextBatch())) {
          if (this.#failure !== undefined && !this.#ended) continue;
          return undefined;
        }
      }
      if (this.#ended) return undefined;
      const page = await this.#cut();
      if (page.entries.length > 0) return page.entries;
    }
  }

  /** Gives the snapshot back. Idempotent; reads in flight are left to themselves. */
  end(): void {
    this.#ended = true;
    this.#source.index.snapshots.close(this.#snapshot);
  }

  async #cut(): Promise<Page> {
    const { reader, horizonMs } = this.#source;
    const { keysOnly, limit } = this.#request;
    const page = await cutPage(reader, this.#batch, {
      from: this.#at,
      most: limit - this.#given,
      keysOnly,
      horizonMs,
    });
    this.#at = page.to;
    this.#given += page.entries.length;
    if (page.failure !== undefined) {
      // What came before the failed row is given first.
      this.#failure = page.failure;
      this.#more = false;
      this.#batch = new ScanRows(0);
      this.#at = 0;
      this.#coming = undefined;
    }
    return page;
  }

  async #nextBatch(): Promise<boolean> {
    const coming = this.#coming ?? (this.#more ? this.#prepare() : undefined);
    this.#coming = undefined;
    if (coming === undefined) return false;
    this.#batch = await coming;
    this.#at = 0;
    this.#batches++;
    if (this.#batches > 1 && this.#more && !this.#ended) this.#coming = this.#prepare();
    return this.#batch.count > 0;
  }

  /** Takes and reads a batch. Never rejects: a failure waits for its place in the order. */
  async #prepare(): Promise<ScanRows> {
    const { index, reader } = this.#source;
    const rows = new ScanRows(Math.min(this.#batchRows, mostRows));
    while (rows.count < rows.capacity && rows.recordBytes < batchBytes) {
      if (rows.count > 0) await loopTurn();
      if (this.#ended) return rows;
      if (this.#snapshot.tooOld) {
        this.#more = false;
        this.#failure = tooOld();
        break;
      }
      const upTo = Math.min(rows.count + sliceRows, rows.capacity);
      if (takeRows(this.#snapshot, index.keydir, rows, upTo, batchBytes)) continue;
      this.#more = false;
      break;
    }
    const wanted = this.#wanted(rows);
    const spans = planSpans(rows, wanted);
    this.#grow(wanted.length, spans.length, rows, spans);
    await readSpans(reader, rows, spans, () => !this.#ended);
    return rows;
  }

  #wanted(rows: ScanRows): Uint32Array {
    const wanted = new Uint32Array(rows.count);
    let count = 0;
    for (let row = 0; row < rows.count; row++) {
      if (!this.#request.keysOnly || rows.expires(row)) wanted[count++] = row;
    }
    return wanted.subarray(0, count);
  }

  #grow(wanted: number, calls: number, rows: ScanRows, spans: readonly { readonly bytes: number }[]): void {
    invariant(calls <= wanted, 'a call of the disk reads at least one row');
    let read = 0;
    for (const span of spans) read += span.bytes;
    const scattered = calls * 32 > wanted || read > rows.recordBytes * 2;
    if (this.#batchRows < denseRows) this.#batchRows = Math.min(this.#batchRows * 4, denseRows);
    else this.#batchRows = scattered ? Math.min(this.#batchRows * 2, mostRows) : denseRows;
  }
}

function tooOld(): BitcaskError {
  return new BitcaskError(
    'SNAPSHOT_TOO_OLD',
    'too much was overwritten while this range was read (snapshotMemoryBytes); go on from the last key with a new range',
  );
}
