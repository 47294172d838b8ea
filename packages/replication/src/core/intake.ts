/**
 * What is on its way into the store of a node, from all sources together. Each stream is taken in once, in order, whoever
 * brings it: what another session brought already is cut off, what leaves a gap ends the session that brought it.
 */
import { type StreamId, streamKey } from './entry-id.js';
import { emptyMark, joinMarks, saysMore } from './origin-marks.js';
import { ReplicationError } from './replication-error.js';
import { cutRun, lastSequenceOf, type Run } from './run.js';
import type { OriginMark } from './stream-position.js';
import type { VersionVector } from './version-vector.js';

/** The last sequences that were handed to the store, durable or not yet. */
export class Intake {
  readonly #held: VersionVector;
  readonly #marks: ReadonlyMap<number, OriginMark>;
  readonly #arriving = new Map<string, number>();
  readonly #arrivingMarks = new Map<number, OriginMark>();

  /** What is durable; read, never changed. */
  constructor(held: VersionVector, marks: ReadonlyMap<number, OriginMark>) {
    this.#held = held;
    this.#marks = marks;
  }

  /** What of a run is new, `undefined` where nothing is. Throws `GAP` where it does not follow what is there. */
  take(run: Run): Run | undefined {
    const key = streamKey(run.stream);
    const last = this.#lastOf(key);
    if (run.firstSequence > last + 1) {
      throw new ReplicationError('GAP', `entry ${run.firstSequence} of stream ${key} came where ${last + 1} is next`);
    }
    const end = lastSequenceOf(run);
    if (end <= last) return undefined;
    this.#arriving.set(key, end);
    return cutRun(run, last + 1);
  }

  /** What comes before `firstSequence` does not come. Whether that is news. */
  skip(stream: StreamId, firstSequence: number): boolean {
    const key = streamKey(stream);
    if (firstSequence - 1 <= this.#lastOf(key)) return false;
    this.#arriving.set(key, firstSequence - 1);
    return true;
  }

  /** What is known of an origin with what a mark says; `undefined` where that is nothing new. */
  mark(mark: OriginMark): OriginMark | undefined {
    const known = this.#arrivingMarks.get(mark.origin) ?? this.#marks.get(mark.origin) ?? emptyMark(mark.origin);
    if (!saysMore(mark, known)) return undefined;
    const joined = joinMarks(known, mark);
    this.#arrivingMarks.set(mark.origin, joined);
    return joined;
  }

  /** The store has these durably: what is not ahead of it any more need not be remembered. */
  settle(stream: StreamId): void {
    const key = streamKey(stream);
    const arriving = this.#arriving.get(key);
    if (arriving !== undefined && arriving <= this.#held.lastOf(key)) this.#arriving.delete(key);
  }

  /** What was on its way may not have come: only what is durable counts. */
  reset(): void {
    this.#arriving.clear();
    this.#arrivingMarks.clear();
  }

  removeLog(logId: number): void {
    for (const key of this.#arriving.keys()) if (key.startsWith(`${logId}/`)) this.#arriving.delete(key);
  }

  #lastOf(key: string): number {
    return Math.max(this.#held.lastOf(key), this.#arriving.get(key) ?? 0);
  }
}
