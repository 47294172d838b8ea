import type { BatchOperation, BitcaskEntry, RangeOptions } from '../bitcask.js';
import { compareKeys } from '../core/compare-keys.js';

/**
 * What a store must look like from outside, as simply as it can be said: a list of entries in memory. Sequences count
 * operations from 1, one for each put and each delete that was written.
 */
export class ModelStore {
  readonly #entries = new Map<string, BitcaskEntry>();
  /** The last sequence given out. */
  sequence = 0;

  /** Applies operations in order, without conditions. */
  apply(operations: readonly BatchOperation[]): void {
    for (const operation of operations) {
      const { key } = operation;
      this.sequence++;
      if (operation.type === 'delete') {
        this.#entries.delete(nameOf(key));
        continue;
      }
      const { value, expiresAtMs = 0 } = operation;
      this.#entries.set(nameOf(key), { key: key.slice(), value: value.slice(), sequence: this.sequence, expiresAtMs });
    }
  }

  /** The live entry of a key. */
  get(key: Uint8Array, horizonMs: number): BitcaskEntry | undefined {
    const entry = this.#entries.get(nameOf(key));
    return entry === undefined || isExpired(entry, horizonMs) ? undefined : entry;
  }

  /** Whether there is an entry, live or expired. */
  knows(key: Uint8Array): boolean {
    return this.#entries.has(nameOf(key));
  }

  /** What a range must give. */
  range(options: RangeOptions, horizonMs: number): BitcaskEntry[] {
    const { start, end, prefix, reverse = false, limit = Number.POSITIVE_INFINITY, keysOnly = false } = options;
    const found = [...this.#entries.values()]
      .filter((entry) => !isExpired(entry, horizonMs))
      .filter(({ key }) => start === undefined || compareKeys(key, start) >= 0)
      .filter(({ key }) => end === undefined || compareKeys(key, end) < 0)
      .filter(({ key }) => prefix === undefined || compareKeys(key.subarray(0, prefix.length), prefix) === 0)
      .sort((a, b) => compareKeys(a.key, b.key));
    if (reverse) found.reverse();
    const shown = found.slice(0, limit);
    return keysOnly ? shown.map((entry) => ({ ...entry, value: new Uint8Array(0) })) : shown;
  }
}

function isExpired(entry: BitcaskEntry, horizonMs: number): boolean {
  return entry.expiresAtMs > 0 && entry.expiresAtMs <= horizonMs;
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}
