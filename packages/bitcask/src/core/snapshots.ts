import { invariant } from '@shanghai/env';
import { compareKeys } from './compare-keys.js';
import { createKeydir, type Keydir, type KeydirPosition } from './keydir.js';

/**
 * Open snapshots: what an iterator needs to see the store as it was.
 *
 * The key directory holds only newest positions. While a snapshot is open, a position that is overwritten or deleted
 * is kept in the snapshot's side table, but only where the snapshot can still ask for it: it existed at the snapshot's
 * sequence, lies in its range, and the iterator has not passed it. All side tables together are bounded; the one that
 * would break the bound fails (`tooOld`) and gives its memory back. Rejected: versions in the key directory itself,
 * which every key would pay for.
 */

/** Side tables are mostly small: they grow in small steps. */
const sideChunkBytes = 65_536;

/** Bytes a kept position is counted as, beside its key. */
const keptOverheadBytes = 64;

/** The keys an iterator goes through. */
export interface SnapshotRange {
  /** Inclusive. */
  readonly low: Uint8Array | undefined;
  /** Exclusive. */
  readonly high: Uint8Array | undefined;
  readonly reverse: boolean;
}

/** One open snapshot. Only `Snapshots` makes and changes it. */
export class Snapshot {
  /** Records up to this sequence are seen. */
  readonly sequence: number;
  readonly range: SnapshotRange;
  readonly number: number;
  /** The last key the iterator took; changes at or before it (in its direction) do not matter any more. */
  passed: Uint8Array | undefined;
  tooOld = false;
  keptBytes = 0;
  side: Keydir | undefined;

  constructor(number: number, sequence: number, range: SnapshotRange) {
    this.number = number;
    this.sequence = sequence;
    this.range = range;
  }

  /** Whether the iterator may still come to this key. */
  awaits(key: Uint8Array): boolean {
    const { low, high, reverse } = this.range;
    if (low !== undefined && compareKeys(key, low) < 0) return false;
    if (high !== undefined && compareKeys(key, high) >= 0) return false;
    if (this.passed === undefined) return true;
    const order = compareKeys(key, this.passed);
    return reverse ? order < 0 : order > 0;
  }
}

/** All open snapshots of a store. */
export class Snapshots {
  readonly #open = new Set<Snapshot>();
  readonly #limitBytes: number;
  readonly #onClose: () => void;
  #keptBytes = 0;
  #opened = 0;

  /** `limitBytes`: over all side tables. `onClose` is called after a snapshot closed. */
  constructor(limitBytes: number, onClose: () => void) {
    this.#limitBytes = limitBytes;
    this.#onClose = onClose;
  }

  get count(): number {
    return this.#open.size;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Numbers below this belong to snapshots opened so far. */
  get nextNumber(): number {
    return this.#opened;
  }

  /** The lowest number of an open snapshot, or `Infinity`. */
  oldestNumber(): number {
    for (const snapshot of this.#open) return snapshot.number;
    return Number.POSITIVE_INFINITY;
  }

  open(sequence: number, range: SnapshotRange): Snapshot {
    const snapshot = new Snapshot(this.#opened++, sequence, range);
    this.#open.add(snapshot);
    return snapshot;
  }

  /** Idempotent. */
  close(snapshot: Snapshot): void {
    if (!this.#open.delete(snapshot)) return;
    this.#drop(snapshot);
    this.#onClose();
  }

  /** To be called with every position that leaves the key directory other than by a merge moving the record. */
  keep(key: Uint8Array, previous: KeydirPosition): void {
    for (const snapshot of this.#open) {
      if (snapshot.tooOld || previous.sequence > snapshot.sequence || !snapshot.awaits(key)) continue;
      const bytes = keptOverheadBytes + key.length;
      if (this.#keptBytes + bytes > this.#limitBytes) {
        snapshot.tooOld = true;
        this.#drop(snapshot);
        continue;
      }
      snapshot.side ??= createKeydir({ chunkBytes: sideChunkBytes });
      invariant(!snapshot.side.set(key, previous), 'a snapshot keeps at most one position per key');
      snapshot.keptBytes += bytes;
      this.#keptBytes += bytes;
    }
  }

  #drop(snapshot: Snapshot): void {
    this.#keptBytes -= snapshot.keptBytes;
    snapshot.keptBytes = 0;
    snapshot.side = undefined;
  }
}
