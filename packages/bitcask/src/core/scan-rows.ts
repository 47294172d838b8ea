import type { KeydirPosition } from './keydir.js';

/**
 * Rows of a scan on their way from the key directory to the caller, as columns: a row that waits for its record is
 * numbers in typed arrays, not objects.
 */
export class ScanRows {
  readonly capacity: number;
  count = 0;
  /** Of all records together. */
  recordBytes = 0;
  readonly keys: Uint8Array[] = [];
  readonly #fileIds: Uint32Array;
  readonly #offsets: Uint32Array;
  readonly #recordBytes: Uint32Array;
  readonly #sequences: Float64Array;
  readonly #expires: Uint8Array;
  /** Where the record's bytes are once they were read: a block and a place in it. */
  readonly blocks: (Uint8Array | undefined)[] = [];
  readonly starts: Uint32Array;
  /** Rows that could not be read, and why. */
  readonly failures = new Map<number, Error>();

  /** For at most `capacity` rows. */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.#fileIds = new Uint32Array(capacity);
    this.#offsets = new Uint32Array(capacity);
    this.#recordBytes = new Uint32Array(capacity);
    this.#sequences = new Float64Array(capacity);
    this.#expires = new Uint8Array(capacity);
    this.starts = new Uint32Array(capacity);
  }

  /** Adds a row; the key becomes this object's. */
  push(key: Uint8Array, position: KeydirPosition): void {
    const row = this.count++;
    this.keys[row] = key;
    this.#fileIds[row] = position.fileId;
    this.#offsets[row] = position.offset;
    this.#recordBytes[row] = position.recordBytes;
    this.#sequences[row] = position.sequence;
    this.#expires[row] = position.expires ? 1 : 0;
    this.recordBytes += position.recordBytes;
  }

  key(row: number): Uint8Array {
    return this.keys[row] as Uint8Array;
  }

  fileId(row: number): number {
    return this.#fileIds[row] as number;
  }

  offset(row: number): number {
    return this.#offsets[row] as number;
  }

  bytesOf(row: number): number {
    return this.#recordBytes[row] as number;
  }

  sequence(row: number): number {
    return this.#sequences[row] as number;
  }

  expires(row: number): boolean {
    return this.#expires[row] === 1;
  }

  position(row: number): KeydirPosition {
    return {
      fileId: this.fileId(row),
      offset: this.offset(row),
      recordBytes: this.bytesOf(row),
      sequence: this.sequence(row),
      expires: this.expires(row),
    };
  }
}
