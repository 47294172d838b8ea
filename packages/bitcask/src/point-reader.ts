import type { BitcaskEntry } from './bitcask.js';
import { ByteSlab } from './core/byte-slab.js';
import type { KeydirPosition } from './core/keydir.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import type { StoreIndex } from './core/store-index.js';
import { readRecords } from './read-records.js';
import { entryOf, type ReadRecord, RecordMoved, type RecordReader, readValue, readValueSync } from './record-reader.js';
import type { ValueCache } from './value-cache.js';

/** A merge may take a record's file away between look-up and read, but hardly so often in a row. */
const attempts = 5;

/** Looks single keys up: directory, cache, disk. Results are the caller's own. */
export class PointReader {
  readonly #index: StoreIndex;
  readonly #reader: RecordReader;
  readonly #cache: ValueCache;
  readonly #slab = new ByteSlab();
  /** Never kept over an `await`. */
  readonly #position = emptyPosition();

  constructor(index: StoreIndex, reader: RecordReader, cache: ValueCache) {
    this.#index = index;
    this.#reader = reader;
    this.#cache = cache;
  }

  has(key: Uint8Array, horizonMs: number): boolean {
    const position = this.#position;
    if (!this.#index.keydir.get(key, position)) return false;
    if (!position.expires) return true;
    const record = this.#recordSync(key);
    return record !== undefined && isLive(record.fields, horizonMs);
  }

  valueSync(key: Uint8Array, horizonMs: number): Uint8Array | undefined {
    const cached = this.#cache.get(key);
    if (cached !== undefined) return isLive(cached, horizonMs) ? this.#slab.copy(cached.value) : undefined;
    if (this.#cache.enabled) return this.#entryFromDiskSync(key, horizonMs)?.value;
    const record = this.#recordSync(key);
    if (record === undefined || !isLive(record.fields, horizonMs)) return undefined;
    return readValueSync(this.#reader, record, this.#position);
  }

  entrySync(key: Uint8Array, horizonMs: number): BitcaskEntry | undefined {
    const cached = this.#cache.get(key);
    if (cached === undefined) return this.#entryFromDiskSync(key, horizonMs);
    return isLive(cached, horizonMs) ? this.#copyOf(cached) : undefined;
  }

  async value(key: Uint8Array, horizonMs: number): Promise<Uint8Array | undefined> {
    const cached = this.#cache.get(key);
    if (cached !== undefined) return isLive(cached, horizonMs) ? this.#slab.copy(cached.value) : undefined;
    return (await this.#entryFromDisk(key, horizonMs))?.value;
  }

  async entry(key: Uint8Array, horizonMs: number): Promise<BitcaskEntry | undefined> {
    const cached = this.#cache.get(key);
    if (cached === undefined) return this.#entryFromDisk(key, horizonMs);
    return isLive(cached, horizonMs) ? this.#copyOf(cached) : undefined;
  }

  /** One result per key; the records are fetched together. */
  async values(keys: readonly Uint8Array[], horizonMs: number): Promise<(Uint8Array | undefined)[]> {
    const results = new Array<Uint8Array | undefined>(keys.length).fill(undefined);
    const wanted: number[] = [];
    const positions: KeydirPosition[] = [];
    keys.forEach((key, i) => {
      const cached = this.#cache.get(key);
      if (cached !== undefined) {
        if (isLive(cached, horizonMs)) results[i] = this.#slab.copy(cached.value);
        return;
      }
      const position = emptyPosition();
      if (!this.#index.keydir.get(key, position)) return;
      wanted.push(i);
      positions.push(position);
    });
    let records: ReadRecord[];
    try {
      records = await readRecords(this.#reader, positions);
    } catch (error) {
      if (!(error instanceof RecordMoved)) throw error;
      const entries = await Promise.all(keys.map((key) => this.entry(key, horizonMs)));
      return entries.map((entry) => entry?.value);
    }
    for (let n = 0; n < wanted.length; n++) {
      const record = records[n] as ReadRecord;
      if (!isLive(record.fields, horizonMs)) continue;
      const position = positions[n] as KeydirPosition;
      const entry = entryOf(record, this.#slab.copy(await readValue(this.#reader, record, position)));
      this.#remember(entry);
      results[wanted[n] as number] = entry.value;
    }
    return results;
  }

  async #entryFromDisk(key: Uint8Array, horizonMs: number): Promise<BitcaskEntry | undefined> {
    const position = emptyPosition();
    for (let attempt = 1; this.#index.keydir.get(key, position); attempt++) {
      try {
        const record = await this.#reader.read(position);
        if (!isLive(record.fields, horizonMs)) return undefined;
        const entry = entryOf(record, await readValue(this.#reader, record, position));
        this.#remember(entry);
        return entry;
      } catch (error) {
        this.#mayRetry(error, attempt, position);
      }
    }
    return undefined;
  }

  #entryFromDiskSync(key: Uint8Array, horizonMs: number): BitcaskEntry | undefined {
    const record = this.#recordSync(key);
    if (record === undefined || !isLive(record.fields, horizonMs)) return undefined;
    const entry = entryOf(record, readValueSync(this.#reader, record, this.#position));
    this.#cache.add(entry);
    return entry;
  }

  /** Caches an entry unless its key was written while it was read: the cache holds newest entries only. */
  #remember(entry: BitcaskEntry): void {
    if (!this.#cache.enabled) return;
    const position = this.#position;
    if (this.#index.keydir.get(entry.key, position) && position.sequence === entry.sequence) this.#cache.add(entry);
  }

  #copyOf(cached: BitcaskEntry): BitcaskEntry {
    const { key, value, sequence, expiresAtMs } = cached;
    return { key: this.#slab.copy(key), value: this.#slab.copy(value), sequence, expiresAtMs };
  }

  /** The key's record; its position is left in `#position`. */
  #recordSync(key: Uint8Array): ReadRecord | undefined {
    const position = this.#position;
    for (let attempt = 1; this.#index.keydir.get(key, position); attempt++) {
      try {
        return this.#reader.readSync(position);
      } catch (error) {
        this.#mayRetry(error, attempt, position);
      }
    }
    return undefined;
  }

  /** Throws unless looking the key up again may help. */
  #mayRetry(error: unknown, attempt: number, position: KeydirPosition): void {
    if (!(error instanceof RecordMoved)) throw error;
    if (attempt >= attempts) throw this.#reader.corrupt(position, 'the file is gone');
  }
}

function isLive({ expiresAtMs }: { readonly expiresAtMs: number }, horizonMs: number): boolean {
  return expiresAtMs === 0 || expiresAtMs > horizonMs;
}
