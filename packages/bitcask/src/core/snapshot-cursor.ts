import { compareKeys } from './compare-keys.js';
import type { Keydir, KeydirCursor, KeydirPosition } from './keydir.js';
import type { ScanRows } from './scan-rows.js';
import type { Snapshot } from './snapshots.js';

/**
 * Takes the next rows of a snapshot, in its order, until `rows` holds `upTo` rows or `upToBytes` bytes of records;
 * returns whether there may be more. Works without interruption, so the directory does not change under it; it finds
 * its place again by the last key taken.
 *
 * Two ordered sources are merged: the directory, where newer records are skipped, and the side table, which holds what they replaced.
 */
export function takeRows(snapshot: Snapshot, keydir: Keydir, rows: ScanRows, upTo: number, upToBytes: number): boolean {
  const directory = new Source(keydir, snapshot, snapshot.sequence);
  const side = snapshot.side === undefined ? undefined : new Source(snapshot.side, snapshot, Number.POSITIVE_INFINITY);
  while (rows.count < upTo && rows.recordBytes < upToBytes) {
    const source = nearer(directory, side, snapshot.range.reverse);
    if (source.key === undefined) return false;
    rows.push(source.key, source.position);
    snapshot.passed = source.key;
    source.advance();
  }
  return true;
}

function nearer(directory: Source, side: Source | undefined, reverse: boolean): Source {
  if (side?.key === undefined) return directory;
  if (directory.key === undefined) return side;
  const order = compareKeys(side.key, directory.key);
  return (reverse ? order > 0 : order < 0) ? side : directory;
}

/** One ordered source: stands on an entry within the range whose sequence is at most `maxSequence`, or at its end. */
class Source {
  key: Uint8Array | undefined;
  /** Of the entry it stands on; the same object for all of them. */
  readonly position: KeydirPosition = emptyPosition();
  readonly #cursor: KeydirCursor;
  readonly #snapshot: Snapshot;
  readonly #maxSequence: number;

  constructor(keydir: Keydir, snapshot: Snapshot, maxSequence: number) {
    this.#cursor = keydir.cursor();
    this.#snapshot = snapshot;
    this.#maxSequence = maxSequence;
    this.#settle(this.#begin());
  }

  advance(): void {
    this.#settle(this.#snapshot.range.reverse ? this.#cursor.previous() : this.#cursor.next());
  }

  #begin(): boolean {
    const { range, passed } = this.#snapshot;
    if (range.reverse) return this.#cursor.seekBefore(passed ?? range.high);
    if (passed === undefined) return this.#cursor.seek(range.low);
    if (!this.#cursor.seek(passed)) return false;
    return compareKeys(this.#cursor.key(), passed) === 0 ? this.#cursor.next() : true;
  }

  #settle(found: boolean): void {
    const { low, high, reverse } = this.#snapshot.range;
    this.key = undefined;
    for (let there = found; there; there = reverse ? this.#cursor.previous() : this.#cursor.next()) {
      this.#cursor.position(this.position);
      if (this.position.sequence > this.#maxSequence) continue;
      const key = this.#cursor.key();
      if (reverse ? low !== undefined && compareKeys(key, low) < 0 : high !== undefined && compareKeys(key, high) >= 0)
        return;
      this.key = key;
      return;
    }
  }
}

/** A position to be filled. */
export function emptyPosition(): KeydirPosition {
  return { fileId: 0, offset: 0, recordBytes: 0, sequence: 0, expires: false };
}
