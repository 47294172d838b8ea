import type { Clock } from '@shanghai/env';
import { copyBytes } from '@shanghai/env';
import { LRUCache } from 'lru-cache';
import type { BitcaskEntry } from './bitcask.js';

/** What a cached entry takes beside its bytes, roughly. */
const entryOverheadBytes = 200;

/**
 * Entries read lately, by sequence: a sequence names one record for ever, so nothing in here can be stale; what was
 * overwritten is dropped only to save memory. Without a size it holds nothing and costs nothing.
 */
export class ValueCache {
  readonly #entries: LRUCache<number, BitcaskEntry> | undefined;
  #hits = 0;
  #misses = 0;

  constructor(options: { readonly maxBytes: number; readonly ttlMs: number }, clock: Clock) {
    if (options.maxBytes === 0) return;
    this.#entries = new LRUCache<number, BitcaskEntry>({
      maxSize: options.maxBytes,
      sizeCalculation: (entry) => entry.key.length + entry.value.length + entryOverheadBytes,
      ttl: options.ttlMs,
      ttlResolution: 0,
      // The cache takes a start time of 0 for none.
      perf: { now: () => clock.monotonicMs() + 1 },
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

  /** The entry with buffers of its own, or `undefined`. */
  get(sequence: number): BitcaskEntry | undefined {
    if (this.#entries === undefined) return undefined;
    const entry = this.#entries.get(sequence);
    if (entry === undefined) {
      this.#misses++;
      return undefined;
    }
    this.#hits++;
    return copyOf(entry);
  }

  /** Keeps a copy: the caller owns `entry`. */
  add(entry: BitcaskEntry): void {
    this.#entries?.set(entry.sequence, copyOf(entry));
  }

  drop(sequence: number): void {
    this.#entries?.delete(sequence);
  }

  clear(): void {
    this.#entries?.clear();
  }
}

function copyOf(entry: BitcaskEntry): BitcaskEntry {
  return {
    key: copyBytes(entry.key),
    value: copyBytes(entry.value),
    sequence: entry.sequence,
    expiresAtMs: entry.expiresAtMs,
  };
}
