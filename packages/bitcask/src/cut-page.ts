import type { BitcaskEntry } from './bitcask.js';
import {
  claimedBytes,
  crcHolds,
  crcSeed,
  createRecordFields,
  readRecord,
  recordFlags,
  recordHeaderBytes,
} from './core/record.js';
import type { ScanRows } from './core/scan-rows.js';
import { type RecordReader, readValue } from './record-reader.js';

/** A page holds at most so many entries, and stops behind the value that makes it larger than this. */
const pageRows = 1_024;
const pageBytes = 1_048_576;

/** Entries of some rows. */
export interface Page {
  readonly entries: BitcaskEntry[];
  /** The row behind the last one looked at. */
  readonly to: number;
  /** What the row `to` failed with. */
  readonly failure?: unknown;
}

/** Which rows become a page. */
export interface PageRequest {
  readonly from: number;
  /** At most so many entries, > 0. */
  readonly most: number;
  readonly keysOnly: boolean;
  readonly horizonMs: number;
}

const noValue = new Uint8Array(0);

/**
 * Checks rows that were read and makes entries of those that live. Values are views of the blocks that were read,
 * which belong to the entries alone; compressed ones have bytes of their own.
 */
export async function cutPage(reader: RecordReader, rows: ScanRows, request: PageRequest): Promise<Page> {
  const { keysOnly, horizonMs } = request;
  const most = Math.min(request.most, pageRows);
  const records = new RecordsOfRows(reader, rows);
  const entries: BitcaskEntry[] = [];
  let bytes = 0;
  let row = request.from;
  for (; row < rows.count && entries.length < most && bytes < pageBytes; row++) {
    const key = rows.key(row);
    const sequence = rows.sequence(row);
    if (keysOnly && !rows.expires(row)) {
      entries.push({ key, value: noValue, sequence, expiresAtMs: 0 });
      continue;
    }
    try {
      records.check(row);
      const { expiresAtMs } = records.fields;
      if (expiresAtMs > 0 && expiresAtMs <= horizonMs) continue;
      const value = keysOnly ? noValue : records.isRaw ? records.rawValue() : await records.unpackedValue();
      bytes += value.length;
      entries.push({ key, value, sequence, expiresAtMs });
    } catch (failure) {
      return { entries, to: row, failure };
    }
  }
  return { entries, to: row };
}

/** Looks at one record after the other; what is the same for neighbours is kept. */
class RecordsOfRows {
  readonly fields = createRecordFields();
  readonly #reader: RecordReader;
  readonly #rows: ScanRows;
  #row = 0;
  #block: Uint8Array = noValue;
  #view: DataView = new DataView(noValue.buffer);
  #fileId = 0;
  #seed = 0;

  constructor(reader: RecordReader, rows: ScanRows) {
    this.#reader = reader;
    this.#rows = rows;
  }

  /** Fills `fields`. Throws where the row was not read, or its record is damaged or another one. */
  check(row: number): void {
    const rows = this.#rows;
    const failure = rows.failures.size > 0 ? rows.failures.get(row) : undefined;
    if (failure !== undefined) throw failure;
    this.#row = row;
    this.#turnTo(rows.fileId(row), rows.blocks[row] as Uint8Array);
    const start = rows.starts[row] as number;
    const end = start + rows.bytesOf(row);
    const seed = crcSeed(this.#seed, rows.offset(row));
    if (end - start < recordHeaderBytes || !crcHolds(this.#block, this.#view, start, end, seed))
      throw this.#reader.corrupt(rows.position(row), 'its checksum does not hold');
    if (claimedBytes(this.#view, start) === end - start) {
      readRecord(this.#view, start, this.fields);
      if (this.fields.sequence === rows.sequence(row)) return;
    }
    throw this.#reader.corrupt(rows.position(row), 'it is not the record that was written there');
  }

  /** Whether the value was stored as it is. */
  get isRaw(): boolean {
    return (this.fields.flags & recordFlags.codecMask) === 0;
  }

  /** The value, a view of the block. */
  rawValue(): Uint8Array {
    const { valueStart, storedBytes } = this.fields;
    return new Uint8Array(this.#block.buffer, this.#block.byteOffset + valueStart, storedBytes);
  }

  /** The value in bytes of its own. */
  async unpackedValue(): Promise<Uint8Array> {
    const start = this.#rows.starts[this.#row] as number;
    const { keyStart, valueStart, recordBytes } = this.fields;
    const bytes = this.#block.subarray(start, start + recordBytes);
    const fields = { ...this.fields, keyStart: keyStart - start, valueStart: valueStart - start };
    return readValue(this.#reader, { bytes, fields }, this.#rows.position(this.#row));
  }

  #turnTo(fileId: number, block: Uint8Array): void {
    if (fileId !== this.#fileId) {
      this.#fileId = fileId;
      this.#seed = this.#reader.seedOf(fileId);
    }
    if (block === this.#block) return;
    this.#block = block;
    this.#view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  }
}
