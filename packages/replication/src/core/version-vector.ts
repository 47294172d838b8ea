import { type StreamId, streamKey } from './entry-id.js';
import type { Lacking } from './lag-monitor.js';
import type { StreamPosition } from './stream-position.js';

/** Positions of streams, found by stream, by origin and by log. What a replica holds; changed by its owner alone. */
export class VersionVector {
  readonly #positions = new Map<string, StreamPosition>();
  readonly #byOrigin = new Map<number, Map<string, StreamPosition>>();

  constructor(positions: Iterable<StreamPosition> = []) {
    for (const position of positions) this.set(position);
  }

  get size(): number {
    return this.#positions.size;
  }

  /** How much is held of a stream; `undefined` where nothing ever was. */
  get(stream: StreamId): StreamPosition | undefined {
    return this.#positions.get(streamKey(stream));
  }

  /** The last sequence held of a stream, 0 where nothing is. */
  lastOf(key: string): number {
    return this.#positions.get(key)?.lastSequence ?? 0;
  }

  all(): Iterable<StreamPosition> {
    return this.#positions.values();
  }

  origins(): Iterable<number> {
    return this.#byOrigin.keys();
  }

  /** Streams of an origin, of all logs and epochs. */
  ofOrigin(origin: number): Iterable<StreamPosition> {
    return this.#byOrigin.get(origin)?.values() ?? [];
  }

  /** Puts a position in, whether it is more or less than what was there. */
  set(position: StreamPosition): void {
    const key = streamKey(position.stream);
    this.#positions.set(key, position);
    const { origin } = position.stream;
    const streams = this.#byOrigin.get(origin);
    if (streams === undefined) this.#byOrigin.set(origin, new Map([[key, position]]));
    else streams.set(key, position);
  }

  /** Forgets a log. */
  removeLog(logId: number): void {
    for (const [key, { stream }] of this.#positions) {
      if (stream.logId !== logId) continue;
      this.#positions.delete(key);
      this.#byOrigin.get(stream.origin)?.delete(key);
    }
  }

  /** How many entries of an origin this vector has and `other` lacks, of epochs before `beforeEpoch`. */
  leadOver(other: VersionVector, origin: number, beforeEpoch = Number.POSITIVE_INFINITY): number {
    let entries = 0;
    for (const [key, { stream, lastSequence }] of this.#byOrigin.get(origin) ?? []) {
      if (stream.epoch < beforeEpoch) entries += Math.max(0, lastSequence - other.lastOf(key));
    }
    return entries;
  }

  /** The streams of an origin of which this vector has entries that `other` lacks. */
  lackedBy(other: VersionVector, origin: number): Lacking[] {
    const lacking: Lacking[] = [];
    for (const [key, { stream, lastSequence }] of this.#byOrigin.get(origin) ?? []) {
      const heldSequence = other.lastOf(key);
      const lagEntries = lastSequence - heldSequence;
      if (lagEntries > 0) lacking.push({ key, logId: stream.logId, heldSequence, lagEntries });
    }
    return lacking;
  }

  /** How many entries of an origin were ever held, of all logs or of one. */
  sumOf(origin: number, logId?: number): number {
    let entries = 0;
    for (const { stream, lastSequence } of this.ofOrigin(origin)) {
      if (logId === undefined || stream.logId === logId) entries += lastSequence;
    }
    return entries;
  }
}
