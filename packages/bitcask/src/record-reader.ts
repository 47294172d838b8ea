import { isErrno, readFully, readFullySync } from '@shanghai/env';
import type { BitcaskEntry } from './bitcask.js';
import { BitcaskError } from './bitcask-error.js';
import { unpack, unpackSync } from './compression.js';
import { ByteSlab } from './core/byte-slab.js';
import type { KeydirPosition } from './core/keydir.js';
import { checkRecord, crcSeed, createRecordFields, type RecordFields, recordFlags } from './core/record.js';
import type { StoreIndex } from './core/store-index.js';
import type { FilePool } from './file-pool.js';

/** A record read and checked, in bytes that nobody else has. */
export interface ReadRecord {
  readonly bytes: Uint8Array;
  readonly fields: RecordFields;
}

/** How often a read of several pieces is begun anew. */
const placeAttempts = 5;

/** The file was removed by a merge between look-up and read: look the key up again. Never leaves this package. */
export class RecordMoved extends Error {}

/**
 * Reads records at positions of the key directory. Every read checks the CRC and that the record is the one meant
 * (sequences are unique); a record that fails is `CORRUPT`, with file, offset and bytes.
 */
export class RecordReader {
  readonly #pool: FilePool;
  readonly #index: StoreIndex;
  readonly #slab = new ByteSlab();

  constructor(pool: FilePool, index: StoreIndex) {
    this.#pool = pool;
    this.#index = index;
  }

  readSync(position: KeydirPosition): ReadRecord {
    const bytes = this.#slab.take(position.recordBytes);
    let read: number;
    try {
      read = readFullySync(this.#pool.getSync(position.fileId), bytes, position.offset);
    } catch (error) {
      throw this.failure(error, position);
    }
    return this.check(bytes, 0, read, position);
  }

  async read(position: KeydirPosition): Promise<ReadRecord> {
    const { fileId, offset, recordBytes } = position;
    const bytes = this.#slab.take(recordBytes);
    let read: number;
    try {
      // One promise where all goes well: a point read is little more than its promises and the disk's own call.
      read = await this.#pool.withFile(fileId, (file) => file.read(bytes, offset));
    } catch (error) {
      throw this.failure(error, position);
    }
    if (read < recordBytes && read > 0) read = await this.readBytes(position, bytes);
    return this.check(bytes, 0, read, position);
  }

  /** Fills `bytes` from where `position` lies; returns how many there were. */
  async readBytes(position: KeydirPosition, bytes: Uint8Array): Promise<number> {
    try {
      return await this.readPlace(position.fileId, position.offset, bytes);
    } catch (error) {
      throw this.failure(error, position);
    }
  }

  /** `readBytes` of any place; rejects with the disk's own error. */
  async readPlace(fileId: number, offset: number, bytes: Uint8Array): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#pool.withFile(fileId, (file) => readFully(file, bytes, offset));
      } catch (error) {
        // The pool closed it for another file between two short reads.
        if (!isErrno(error, 'EBADF') || attempt === placeAttempts) throw error;
      }
    }
  }

  /** The record in `bytes` at `start`, of which `available` bytes were read. */
  check(bytes: Uint8Array, start: number, available: number, position: KeydirPosition): ReadRecord {
    const { recordBytes, offset } = position;
    if (available < recordBytes)
      throw this.corrupt(position, `the file ends after ${available} of ${recordBytes} bytes`);
    const record = start === 0 && bytes.length === recordBytes ? bytes : bytes.subarray(start, start + recordBytes);
    // It was read, and meanwhile a merge has moved it and its segment has gone.
    if (!this.#index.isKnown(position.fileId)) throw new RecordMoved();
    const fields = createRecordFields();
    if (!checkRecord(record, crcSeed(this.#index.seedOf(position.fileId), offset), fields)) {
      throw this.corrupt(position, 'its checksum does not hold');
    }
    if (fields.sequence !== position.sequence || fields.recordBytes !== recordBytes)
      throw this.corrupt(position, 'it is not the record that was written there');
    return { bytes: record, fields };
  }

  /** The checksum seed of a segment's records. */
  seedOf(fileId: number): number {
    return this.#index.seedOf(fileId);
  }

  corrupt(position: KeydirPosition, what: string, cause?: unknown): BitcaskError {
    const file = this.#pool.pathOf(position.fileId);
    const { offset, recordBytes: bytes } = position;
    return new BitcaskError(
      'CORRUPT',
      `the record at ${offset} of '${file}' (${bytes} bytes) cannot be read: ${what}; restore it from a replica or a backup`,
      {
        details: { file, offset, bytes },
        ...(cause === undefined ? {} : { cause }),
      },
    );
  }

  /** What a failed read of `position` is thrown as. */
  failure(error: unknown, position: KeydirPosition): Error {
    if (error instanceof BitcaskError) return error;
    if (isErrno(error, 'ENOENT') || isErrno(error, 'EBADF')) return new RecordMoved();
    const file = this.#pool.pathOf(position.fileId);
    const { offset, recordBytes: bytes } = position;
    return new BitcaskError('IO_ERROR', `reading '${file}' at ${offset} failed: ${String(error)}`, {
      cause: error,
      details: { file, offset, bytes },
    });
  }
}

/** The value of a checked record; a view of its buffer where it was stored raw. */
export function readValueSync(reader: RecordReader, record: ReadRecord, position: KeydirPosition): Uint8Array {
  const { codec, stored } = storedValue(record);
  if (codec === 0) return stored;
  try {
    return unpackSync({ stored, codec, rawBytes: record.fields.rawBytes });
  } catch (error) {
    throw reader.corrupt(position, 'its value does not decompress', error);
  }
}

/** `readValueSync`, large compressed values on another thread; at once where the value was stored raw. */
export function readValue(
  reader: RecordReader,
  record: ReadRecord,
  position: KeydirPosition,
): Uint8Array | Promise<Uint8Array> {
  const { codec, stored } = storedValue(record);
  if (codec === 0) return stored;
  return unpack({ stored, codec, rawBytes: record.fields.rawBytes }).catch((error: unknown) => {
    throw reader.corrupt(position, 'its value does not decompress', error);
  });
}

/** What the caller of a read is given: the key lies in the record's bytes, which become the caller's. */
export function entryOf(record: ReadRecord, value: Uint8Array): BitcaskEntry {
  const { fields, bytes } = record;
  return {
    key: bytes.subarray(fields.keyStart, fields.valueStart),
    value,
    sequence: fields.sequence,
    expiresAtMs: fields.expiresAtMs,
  };
}

function storedValue(record: ReadRecord): { codec: number; stored: Uint8Array } {
  const { fields, bytes } = record;
  return {
    codec: (fields.flags & recordFlags.codecMask) >> recordFlags.codecShift,
    stored: bytes.subarray(fields.valueStart),
  };
}
