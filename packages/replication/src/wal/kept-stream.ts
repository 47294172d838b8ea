import { invariant } from '@shanghai/env';
import type { StreamId } from '../core/entry-id.js';
import { type Hlc, zeroHlc } from '../core/hlc.js';
import { lastSequenceOf, type Run } from '../core/run.js';
import type { StreamPosition } from '../core/stream-position.js';

/** So many bytes of a stream stand between two places that are remembered. */
const placeEveryBytes = 32_768;

/** Where a run begins. */
interface Place {
  readonly firstSequence: number;
  readonly lsn: number;
}

/**
 * One stream in the log: what is durable of it, and where. Every so many bytes the place of a run is remembered, so that
 * memory grows with the bytes of a stream and not with its entries; the last runs are kept whole (`TailRuns`).
 */
export class KeptStream {
  readonly stream: StreamId;
  /** In the log. */
  readonly walStream: number;
  firstSequence = 1;
  lastSequence = 0;
  lastHlc: Hlc = zeroHlc;
  #places: Place[] = [];
  #bytesSincePlace = Number.POSITIVE_INFINITY;

  constructor(stream: StreamId, walStream: number) {
    this.stream = stream;
    this.walStream = walStream;
  }

  get position(): StreamPosition {
    const { stream, firstSequence, lastSequence, lastHlc } = this;
    return { stream, firstSequence, lastSequence, lastHlc };
  }

  /** A run that follows what is there is durable now. `runBytes`: where the run is given without its bytes. */
  add(run: Run, lsn: number, runBytes = run.bytes.length): void {
    invariant(
      run.firstSequence === this.lastSequence + 1,
      `a run from ${run.firstSequence} behind ${this.lastSequence}`,
    );
    this.lastSequence = lastSequenceOf(run);
    this.lastHlc = run.lastHlc;
    if (this.#bytesSincePlace >= placeEveryBytes) {
      this.#places.push({ firstSequence: run.firstSequence, lsn });
      this.#bytesSincePlace = 0;
    }
    this.#bytesSincePlace += runBytes;
  }

  /** Entries before this one are not there any more, or do not come. */
  cut(firstSequence: number): void {
    if (firstSequence <= this.firstSequence) return;
    this.firstSequence = firstSequence;
    if (firstSequence - 1 > this.lastSequence) {
      this.lastSequence = firstSequence - 1;
      this.lastHlc = zeroHlc;
      this.#places = [];
      this.#bytesSincePlace = Number.POSITIVE_INFINITY;
    }
    while ((this.#places[1]?.firstSequence ?? Number.POSITIVE_INFINITY) <= firstSequence) this.#places.shift();
  }

  /** From where in the log on to look for an entry; 0 where it was not there. */
  placeOf(sequence: number): number {
    let low = 0;
    let high = this.#places.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#places[middle] as Place).firstSequence <= sequence) low = middle + 1;
      else high = middle;
    }
    return this.#places[low - 1]?.lsn ?? 0;
  }

  /** Everything before this place in the log may go; 0 where nothing may. */
  get releasable(): number {
    return (this.#places[0]?.lsn ?? 1) - 1;
  }
}
