import { createRecordFields, readRecord, recordFlags } from './core/record.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import type { StoreIndex } from './core/store-index.js';
import type { StagingChunk, WriteEntry } from './staging-chunk.js';

/** Keys up to this length are looked up through a buffer that is kept: a view of the chunk costs more than the copy. */
const keptKeyBytes = 64;

/**
 * Makes written entries visible, one whole entry at a time, and answers their callers. An entry is applied in one
 * stretch, some microseconds a record: a batch is visible as a whole or not at all.
 */
export class EntryApplier {
  readonly #index: StoreIndex;
  readonly #fields = createRecordFields();
  readonly #position = emptyPosition();
  readonly #keys: (Uint8Array | undefined)[] = [];

  constructor(index: StoreIndex) {
    this.#index = index;
    for (let bytes = 0; bytes <= keptKeyBytes; bytes++) this.#keys.push(undefined);
  }

  /**
   * Goes on where the last call for this chunk ended, up to the first entry that is still queued. Where it throws, the
   * entry that it came to is neither visible nor answered.
   */
  apply(chunk: StagingChunk): void {
    const { entries } = chunk;
    for (; chunk.settled < entries.length; chunk.settled++) {
      const entry = entries[chunk.settled] as WriteEntry;
      if (entry.state === 'queued') return;
      if (entry.state === 'written') this.#enter(chunk, entry);
      entry.settle();
    }
  }

  #enter(chunk: StagingChunk, entry: WriteEntry): void {
    const { bytes, view } = chunk;
    const fields = this.#fields;
    const position = this.#position;
    const shift = entry.offset - entry.start;
    position.fileId = entry.fileId;
    for (let at = entry.start; at < entry.end; at += fields.recordBytes) {
      readRecord(view, at, fields);
      const key = this.#keyAt(bytes, fields.keyStart, fields.keyBytes);
      if ((fields.flags & recordFlags.tombstone) !== 0) {
        this.#index.delete(key);
        continue;
      }
      position.offset = at + shift;
      position.recordBytes = fields.recordBytes;
      position.sequence = fields.sequence;
      position.expires = (fields.flags & recordFlags.expires) !== 0;
      this.#index.put(key, position);
    }
    this.#index.visibleSequence = entry.lastSequence;
    entry.state = 'applied';
  }

  /** The key directory copies what it keeps, so one buffer a length does for all. */
  #keyAt(bytes: Uint8Array, start: number, length: number): Uint8Array {
    if (length > keptKeyBytes) return bytes.subarray(start, start + length);
    let key = this.#keys[length];
    if (key === undefined) {
      key = new Uint8Array(length);
      this.#keys[length] = key;
    }
    for (let i = 0; i < length; i++) key[i] = bytes[start + i] as number;
    return key;
  }
}
