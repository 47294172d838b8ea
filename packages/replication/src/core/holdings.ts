/**
 * Who holds what: the vectors and marks of all members as this node knows them, and what follows from them. Each member
 * counts once, whatever ways it was heard on; what is known of a member stays known while it cannot be reached.
 */
import { type StreamId, streamKey } from './entry-id.js';
import { compareHlc, type Hlc, zeroHlc } from './hlc.js';
import { markOf } from './origin-marks.js';
import type { OriginMark } from './stream-position.js';
import { VersionVector } from './version-vector.js';

/** How many of the members: this node, more than half, or all that are not removed. */
export type AcknowledgementLevel = 'local' | 'quorum' | 'all';

interface Known {
  readonly vector: VersionVector;
  readonly marks: ReadonlyMap<number, OriginMark>;
}

const nothing: Known = { vector: new VersionVector(), marks: new Map() };

/** What the members hold. */
export class Holdings {
  readonly #own: number;
  readonly #known = new Map<number, Known>();
  #members: ReadonlySet<number> = new Set();

  constructor(own: number, vector: VersionVector, marks: ReadonlyMap<number, OriginMark>) {
    this.#own = own;
    this.#known.set(own, { vector, marks });
  }

  get members(): ReadonlySet<number> {
    return this.#members;
  }

  /** This node is always one of them. */
  setMembers(members: Iterable<number>): void {
    this.#members = new Set([...members, this.#own]);
    for (const nodeId of this.#known.keys()) if (!this.#members.has(nodeId)) this.#known.delete(nodeId);
  }

  /** From now on that is what a member holds, as far as it says; the vector and the marks go on being changed by who gave them. */
  set(nodeId: number, vector: VersionVector, marks: ReadonlyMap<number, OriginMark>): void {
    if (nodeId !== this.#own && this.#members.has(nodeId)) this.#known.set(nodeId, { vector, marks });
  }

  /** The last sequence of a stream that so many hold, 0 where there is none. */
  heldBy(stream: StreamId, level: AcknowledgementLevel): number {
    const key = streamKey(stream);
    if (level === 'local') return this.#of(this.#own).vector.lastOf(key);
    const held: number[] = [];
    for (const nodeId of this.#members) held.push(this.#of(nodeId).vector.lastOf(key));
    held.sort((a, b) => b - a);
    const needed = level === 'all' ? held.length : Math.floor(held.length / 2) + 1;
    return held[needed - 1] ?? 0;
  }

  /** Up to where every member holds every entry of an origin in a log; `undefined` where that cannot be said. */
  stableAt(logId: number, origin: number): Hlc | undefined {
    if (!this.#isPastSettled(logId, origin)) return undefined;
    let stable: Hlc | undefined;
    for (const nodeId of this.#members) {
      const mark = this.#of(nodeId).marks.get(origin);
      if (mark === undefined) return undefined;
      const hlc = markOf(mark, logId);
      if (stable === undefined || compareHlc(hlc, stable) < 0) stable = hlc;
    }
    return stable;
  }

  /** Up to where this node holds every entry of a log. */
  watermark(logId: number): Hlc {
    const { marks } = this.#of(this.#own);
    let watermark: Hlc | undefined;
    for (const origin of this.#members) {
      const mark = marks.get(origin);
      const hlc = mark === undefined ? zeroHlc : markOf(mark, logId);
      if (watermark === undefined || compareHlc(hlc, watermark) < 0) watermark = hlc;
    }
    return watermark ?? zeroHlc;
  }

  /**
   * Whether what can come no more of a log is the same on all members: what the origin wrote in epochs that have ended, and
   * whatever origins wrote that were removed. The marks do not speak of it, for an origin may have lost what others hold; but
   * nothing is added to such a stream, so that where all have said the same, that is all there is.
   */
  #isPastSettled(logId: number, origin: number): boolean {
    const origins = new Set([origin]);
    for (const nodeId of this.#members) {
      for (const other of this.#of(nodeId).vector.origins()) if (!this.#members.has(other)) origins.add(other);
    }
    for (const one of origins) if (!this.#isSettled(logId, one)) return false;
    return true;
  }

  #isSettled(logId: number, origin: number): boolean {
    const streams = new Map<string, StreamId>();
    let present = 0;
    for (const nodeId of this.#members) {
      for (const { stream } of this.#of(nodeId).vector.ofOrigin(origin)) {
        present = Math.max(present, stream.epoch);
        if (stream.logId === logId) streams.set(streamKey(stream), stream);
      }
    }
    for (const [key, { epoch }] of streams) {
      if (epoch === present && this.#members.has(origin)) continue;
      const ownLast = this.#of(this.#own).vector.lastOf(key);
      for (const nodeId of this.#members) if (this.#of(nodeId).vector.lastOf(key) !== ownLast) return false;
    }
    return true;
  }

  #of(nodeId: number): Known {
    return this.#known.get(nodeId) ?? nothing;
  }
}
