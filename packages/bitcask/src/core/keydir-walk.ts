import { compareKeys } from './compare-keys.js';
import type { Keydir, KeydirCursor, KeydirPosition } from './keydir.js';
import { emptyPosition } from './snapshot-cursor.js';
import type { Snapshot } from './snapshots.js';

/** What a walk gives: the key is `bytes[0, keyBytes)`; both are valid during the call only. */
export type KeydirVisitor = (bytes: Uint8Array, keyBytes: number, position: KeydirPosition) => void;

/** Key bytes after which a step ends early. */
const stepKeyBytes = 131_072;

/**
 * Walks all keys that a snapshot sees, in order, step by step, while the directory goes on changing between the steps:
 * as iterators do, without making an object a key. Newer entries are skipped; what they replaced is in the side table.
 */
export class KeydirWalk {
  readonly #keydir: Keydir;
  readonly #snapshot: Snapshot;
  readonly #position = emptyPosition();

  /** `snapshot` has no bounds and goes forward; nobody else takes from it. */
  constructor(keydir: Keydir, snapshot: Snapshot) {
    this.#keydir = keydir;
    this.#snapshot = snapshot;
  }

  /** Goes past some `count` keys; returns whether there may be more. */
  step(count: number, visit: KeydirVisitor): boolean {
    const snapshot = this.#snapshot;
    const directory = this.#keydir.cursor();
    const side = snapshot.side?.cursor();
    let more = seekBehind(directory, snapshot.passed);
    let sideMore = side !== undefined && seekBehind(side, snapshot.passed);
    let keyBytes = 0;
    for (let left = count; more || sideMore; left--) {
      const bySide = sideMore && (!more || compareAt(side as KeydirCursor, directory) <= 0);
      const cursor = bySide ? (side as KeydirCursor) : directory;
      cursor.position(this.#position);
      if (bySide || this.#position.sequence <= snapshot.sequence)
        visit(cursor.keyBuffer, cursor.keyBytes, this.#position);
      keyBytes += cursor.keyBytes;
      if (left <= 1 || keyBytes > stepKeyBytes) {
        snapshot.passed = cursor.key();
        return true;
      }
      if (bySide) sideMore = cursor.next();
      else more = cursor.next();
    }
    return false;
  }
}

/** To the first key above `passed`. */
function seekBehind(cursor: KeydirCursor, passed: Uint8Array | undefined): boolean {
  if (!cursor.seek(passed)) return false;
  if (passed === undefined || compareKeys(cursor.key(), passed) !== 0) return true;
  return cursor.next();
}

function compareAt(a: KeydirCursor, b: KeydirCursor): number {
  return compareKeys(a.keyBuffer.subarray(0, a.keyBytes), b.keyBuffer.subarray(0, b.keyBytes));
}
