import { InvariantError, invariant } from '@shanghai/env';
import { createKeydir, type Keydir, type KeydirPosition } from './keydir.js';
import type { Segment } from './segment.js';
import { emptyPosition } from './snapshot-cursor.js';
import { Snapshots } from './snapshots.js';

/** Memory for positions that a walk over the whole directory still needs. */
const dumpMemoryBytes = 32 * 1024 * 1024;

/**
 * What the store knows in memory: the key directory, the live segments, the open snapshots. Every change of the
 * directory goes through here, so that the segments' live bytes stay true and snapshots keep what they need.
 */
export class StoreIndex {
  #keydir = createKeydir();
  readonly segments = new Map<number, Segment>();
  /** Segments that a merge replaced and whose files are still there for open snapshots. */
  readonly retired = new Map<number, Segment>();
  readonly snapshots: Snapshots;
  /** Of the walks that write the key directory to a file: apart from iterators, so that neither uses up the other's memory. */
  readonly dumps = new Snapshots(dumpMemoryBytes, () => undefined);
  /** The last sequence visible to readers. */
  visibleSequence = 0;
  /** How many keys begin with each byte: a store that several kinds of keys share can tell them apart. */
  readonly keysByFirstByte = new Float64Array(256);
  readonly #previous = emptyPosition();
  readonly #onReplaced: ((key: Uint8Array) => void) | undefined;

  /** `onReplaced` hears every key whose newest record is that no longer, in the same moment. */
  constructor(snapshots: Snapshots, onReplaced?: (key: Uint8Array) => void) {
    this.snapshots = snapshots;
    this.#onReplaced = onReplaced;
  }

  get keydir(): Keydir {
    return this.#keydir;
  }

  /** Takes a key directory that was made elsewhere, while it has no key itself. The counts are the caller's to make. */
  adopt(keydir: Keydir): void {
    invariant(this.#keydir.size === 0, 'a key directory with keys in it is replaced');
    this.#keydir = keydir;
  }

  /** The segment a position lies in. */
  segment(fileId: number): Segment {
    const segment = this.segments.get(fileId);
    if (segment === undefined) throw new InvariantError(`position in segment ${fileId}, which is not live`);
    return segment;
  }

  /** Whether a segment's records can still be read: it is live, or a merge has replaced it and an iterator reads it. */
  isKnown(fileId: number): boolean {
    return this.segments.has(fileId) || this.retired.has(fileId);
  }

  /** The checksum seed of a segment's records, also of one that a merge has replaced but an iterator still reads. */
  seedOf(fileId: number): number {
    return (this.segments.get(fileId) ?? this.retired.get(fileId) ?? this.segment(fileId)).seed;
  }

  /** Makes `position` the newest record of `key`. */
  put(key: Uint8Array, position: KeydirPosition): void {
    if (this.#keydir.set(key, position, this.#previous)) this.#replaced(key);
    else this.countKey(key, 1);
    this.segment(position.fileId).liveBytes += position.recordBytes;
  }

  /** A key came (1) or went (-1). */
  countKey(key: Uint8Array, change: 1 | -1): void {
    const first = key[0] as number;
    this.keysByFirstByte[first] = (this.keysByFirstByte[first] as number) + change;
  }

  /** Forgets `key`, if it is there. */
  delete(key: Uint8Array): void {
    if (!this.#keydir.delete(key, this.#previous)) return;
    this.#replaced(key);
    this.countKey(key, -1);
  }

  /** Points `key` to where a merge moved its record, unless a newer one has come. Returns whether it did. */
  relocate(key: Uint8Array, position: KeydirPosition): boolean {
    const current = this.#previous;
    if (!this.#keydir.get(key, current) || current.sequence !== position.sequence) return false;
    this.segment(current.fileId).liveBytes -= current.recordBytes;
    this.#keydir.set(key, position);
    this.segment(position.fileId).liveBytes += position.recordBytes;
    return true;
  }

  #replaced(key: Uint8Array): void {
    const previous = this.#previous;
    const segment = this.segment(previous.fileId);
    segment.liveBytes -= previous.recordBytes;
    if (segment.liveBytes < 0)
      throw new InvariantError(`segment ${segment.fileId} has ${segment.liveBytes} live bytes`);
    if (this.snapshots.count > 0) this.snapshots.keep(key, previous);
    if (this.dumps.count > 0) this.dumps.keep(key, previous);
    this.#onReplaced?.(key);
  }
}
