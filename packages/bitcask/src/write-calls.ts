import { copyBytes } from '@shanghai/env';
import type { BatchOperation } from './bitcask.js';
import { BitcaskError } from './bitcask-error.js';
import type { StoredValue, ValueCompressor } from './compression.js';
import { recordBytesOf, recordFlags } from './core/record.js';
import type { ResolvedBitcaskOptions } from './resolve-bitcask-options.js';
import type { StagingChunk, WriteEntry } from './staging-chunk.js';
import type { WriteQueue } from './write-queue.js';

const noBytes = new Uint8Array(0);

/** Turns calls into records in the queue: checks them, compresses values, lays them out. */
export class WriteCalls {
  readonly #options: ResolvedBitcaskOptions;
  readonly #queue: WriteQueue;
  readonly #compressor: ValueCompressor;
  /** Reused for every record: nothing is allocated for one. */
  readonly #content = {
    flags: 0,
    key: noBytes as Uint8Array,
    stored: noBytes as Uint8Array,
    expiresAtMs: 0,
    codec: 0,
    rawBytes: 0,
  };

  constructor(options: ResolvedBitcaskOptions, queue: WriteQueue, compressor: ValueCompressor) {
    this.#options = options;
    this.#queue = queue;
    this.#compressor = compressor;
  }

  /** Queues one call's operations, in order, as one entry. Throws what is wrong with them; then nothing is queued. */
  enqueue(operations: readonly BatchOperation[], entry: WriteEntry): void {
    let threaded = false;
    let bytes = 0;
    for (let i = 0; i < operations.length; i++) {
      const operation = operations[i] as BatchOperation;
      this.#check(operation);
      threaded ||= operation.type === 'put' && this.#compressor.wantsThread(operation.value);
      bytes += largestBytes(operation);
    }
    if (threaded) this.#enqueueThreaded(operations, bytes, entry);
    else if (this.#options.compression.codec === 'none') this.#layAll(operations, undefined, bytes, entry);
    else this.#layAll(operations, this.#packed(operations), bytes, entry);
  }

  #layAll(
    operations: readonly BatchOperation[],
    packed: readonly (StoredValue | undefined)[] | undefined,
    bytes: number,
    entry: WriteEntry,
  ): void {
    const chunk = this.#queue.reserve(bytes);
    const start = chunk.end;
    for (let i = 0; i < operations.length; i++) {
      this.#lay(chunk, operations[i] as BatchOperation, batchFlag(i, operations.length), packed?.[i]);
    }
    chunk.addEntry(start, entry);
  }

  #packed(operations: readonly BatchOperation[]): (StoredValue | undefined)[] {
    return operations.map((operation) =>
      operation.type === 'put' ? this.#compressor.pack(operation.value) : undefined,
    );
  }

  /** Large values are compressed on other threads; the entry keeps its place in the queue meanwhile. */
  #enqueueThreaded(operations: readonly BatchOperation[], bytes: number, entry: WriteEntry): void {
    const chunk = this.#queue.reserveOwn(bytes);
    const copies = operations.map(copyOf);
    const lay = async () => {
      const start = chunk.end;
      for (let i = 0; i < copies.length; i++) {
        const operation = copies[i] as BatchOperation;
        const packed = operation.type === 'put' ? await this.#pack(operation.value) : undefined;
        this.#lay(chunk, operation, batchFlag(i, copies.length), packed);
      }
      chunk.addEntry(start, entry);
    };
    chunk.prepared = lay();
  }

  async #pack(value: Uint8Array): Promise<StoredValue> {
    try {
      return await this.#compressor.packOnThread(value);
    } catch {
      // Compression is an economy: a value that cannot be compressed is stored as it is.
      return { stored: value, codec: 0, rawBytes: value.length };
    }
  }

  #lay(chunk: StagingChunk, operation: BatchOperation, flags: number, packed: StoredValue | undefined): void {
    const content = this.#content;
    content.key = operation.key;
    if (operation.type === 'put') {
      content.flags = flags;
      content.stored = packed?.stored ?? operation.value;
      content.expiresAtMs = operation.expiresAtMs ?? 0;
      content.codec = packed?.codec ?? 0;
      content.rawBytes = packed?.rawBytes ?? 0;
    } else {
      content.flags = flags | recordFlags.tombstone;
      content.stored = noBytes;
      content.expiresAtMs = 0;
      content.codec = 0;
    }
    chunk.lay(content);
  }

  #check(operation: BatchOperation): void {
    const { key } = operation;
    const { maxKeyBytes, maxValueBytes } = this.#options;
    if (!(key instanceof Uint8Array)) throw new TypeError('a key must be a Uint8Array');
    if (key.length === 0) throw new RangeError('a key must have at least one byte');
    if (key.length > maxKeyBytes) {
      throw new BitcaskError('KEY_TOO_LARGE', `a key has ${key.length} bytes, maxKeyBytes is ${maxKeyBytes}`, {
        details: { bytes: key.length, maxKeyBytes },
      });
    }
    if (operation.type === 'delete') return;
    const { value, expiresAtMs } = operation;
    if (!(value instanceof Uint8Array)) throw new TypeError('a value must be a Uint8Array');
    if (value.length > maxValueBytes) {
      throw new BitcaskError(
        'VALUE_TOO_LARGE',
        `a value has ${value.length} bytes, maxValueBytes is ${maxValueBytes}`,
        { details: { bytes: value.length, maxValueBytes } },
      );
    }
    if (expiresAtMs !== undefined && (!Number.isSafeInteger(expiresAtMs) || expiresAtMs < 1)) {
      throw new RangeError(`expiresAtMs must be a whole number of milliseconds since 1970 above 0, not ${expiresAtMs}`);
    }
  }
}

/** Bytes of the operation's record at most: compression only makes it smaller, but adds a field. */
function largestBytes(operation: BatchOperation): number {
  if (operation.type === 'delete') return recordBytesOf(operation.key.length, 0, false, false);
  return recordBytesOf(operation.key.length, operation.value.length, operation.expiresAtMs !== undefined, true);
}

function batchFlag(index: number, count: number): number {
  if (count === 1) return 0;
  return index === count - 1 ? recordFlags.commit : recordFlags.member;
}

function copyOf(operation: BatchOperation): BatchOperation {
  if (operation.type === 'delete') return { type: 'delete', key: copyBytes(operation.key) };
  return { ...operation, key: copyBytes(operation.key), value: copyBytes(operation.value) };
}
