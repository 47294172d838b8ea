import type { Clock } from '@shanghai/env';
import { copyBytes } from '@shanghai/env';
import { LRUCache } from 'lru-cache';
import type { BitcaskEntry } from './bitcask.js';
import { compareKeys } from './core/compare-keys.js';

/** What a cached entry takes beside its bytes, roughly. */
const entryOverheadBytes = 200;
/** A `Map` holds no more. */
const mostEntries = 2 ** 24 - 2;

interface CachedEntry extends BitcaskEntry {
  readonly untilMs: number;
}

/**
 * Entries read lately. It is asked before the key directory, whose look-up costs more than all else of a hit: so it
 * holds only newest entries, and every record that is replaced is dropped at that moment.
 *
 * Entries are found by a 30-bit hash of the key, an integer that needs no object. Two keys of one hash displace each
 * other: a miss, never a wrong answer, for the whole key is compared. Without a size it holds nothing and costs nothing.
 */
export class ValueCache {
  readonly #entries: LRUCache<number, CachedEntry> | undefined;
  readonly #ttlMs: number;
  readonly #clock: Clock;
  #hits = 0;
  #misses = 0;

  constructor(options: { readonly maxBytes: number; readonly ttlMs: number }, clock: Clock) {
    this.#clock = clock;
    this.#ttlMs = options.ttlMs;
    if (options.maxBytes === 0) return;
    this.#entries = new LRUCache<number, CachedEntry>({
      maxSize: options.maxBytes,
      sizeCalculation: (entry) => entry.key.length + entry.value.length + entryOverheadBytes,
    });
  }

  get enabled(): boolean {
    return this.#entries !== undefined;
  }

  get counts(): { readonly entries: number; readonly bytes: number; readonly hits: number; readonly misses: number } {
    return {
      entries: this.#entries?.size ?? 0,
      bytes: this.#entries?.calculatedSize ?? 0,
      hits: this.#hits,
      misses: this.#misses,
    };
  }

  /** The newest entry of `key`, expired ones included, or `undefined`. Its buffers are the cache's: copy them. */
  get(key: Uint8Array): BitcaskEntry | undefined {
    if (this.#entries === undefined) return undefined;
    const hash = hashOf(key);
    const entry = this.#entries.get(hash);
    if (entry === undefined || compareKeys(entry.key, key) !== 0) {
      this.#misses++;
      return undefined;
    }
    if (entry.untilMs <= this.#clock.monotonicMs()) {
      this.#entries.delete(hash);
      this.#misses++;
      return undefined;
    }
    this.#hits++;
    return entry;
  }

  /** Keeps a copy. `entry` must be the newest of its key at this moment. */
  add(entry: BitcaskEntry): void {
    const entries = this.#entries;
    if (entries === undefined || entries.size >= mostEntries) return;
    const { key, value, sequence, expiresAtMs } = entry;
    const untilMs = this.#clock.monotonicMs() + this.#ttlMs;
    entries.set(hashOf(key), { key: copyBytes(key), value: copyBytes(value), sequence, expiresAtMs, untilMs });
  }

  /** To be called when the newest entry of `key` is that no longer. */
  drop(key: Uint8Array): void {
    if (this.#entries === undefined) return;
    const hash = hashOf(key);
    const entry = this.#entries.peek(hash);
    if (entry !== undefined && compareKeys(entry.key, key) === 0) this.#entries.delete(hash);
  }

  clear(): void {
    this.#entries?.clear();
  }
}

/** FNV-1a (Fowler, Noll, Vo), its high bits folded in; 30 bits, which V8 keeps without an object. */
function hashOf(key: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ (key[i] as number), 0x01000193);
  return (hash ^ (hash >>> 15)) & 0x3fffffff;
}
