import { streamKey } from '../core/entry-id.js';
import { lastSequenceOf, type Run } from '../core/run.js';

/** So many runs are given at once: small ones, put together, make a large one. */
const maxGiven = 1_024;

/** The runs that became durable last, of all streams together bounded by bytes: who keeps up is served from here. */
export class TailRuns {
  readonly #maxBytes: number;
  readonly #all: Run[] = [];
  #oldest = 0;
  readonly #byStream = new Map<string, Run[]>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(run: Run): void {
    if (run.bytes.length > this.#maxBytes) {
      this.forget((key) => key === streamKey(run.stream));
      return;
    }
    const key = streamKey(run.stream);
    const runs = this.#byStream.get(key);
    if (runs === undefined) this.#byStream.set(key, [run]);
    else runs.push(run);
    this.#all.push(run);
    this.#bytes += run.bytes.length;
    while (this.#bytes > this.#maxBytes) this.#dropOldest();
  }

  /** Some runs from the one on that has this entry; none where it is not among them. */
  from(key: string, sequence: number): readonly Run[] {
    const runs = this.#byStream.get(key);
    if (runs === undefined || sequence < (runs[0] as Run).firstSequence) return [];
    let low = 0;
    let high = runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (lastSequenceOf(runs[middle] as Run) < sequence) low = middle + 1;
      else high = middle;
    }
    return runs.slice(low, low + maxGiven);
  }

  /** Forgets streams. */
  forget(isOf: (key: string) => boolean): void {
    for (const [key, runs] of [...this.#byStream]) {
      if (!isOf(key)) continue;
      for (const run of runs) this.#bytes -= run.bytes.length;
      this.#byStream.delete(key);
    }
  }

  #dropOldest(): void {
    const run = this.#all[this.#oldest++] as Run;
    if (this.#oldest > 1_024 && this.#oldest * 2 > this.#all.length) {
      this.#all.splice(0, this.#oldest);
      this.#oldest = 0;
    }
    const key = streamKey(run.stream);
    const runs = this.#byStream.get(key);
    // A stream that was forgotten has none of its old runs any more.
    if (runs?.[0] !== run) return;
    this.#bytes -= run.bytes.length;
    runs.shift();
    if (runs.length === 0) this.#byStream.delete(key);
  }
}
