/**
 * Entries that somebody who copies the log has yet to fetch. Whoever read up to an entry is expected to come back for
 * those behind it: for a while they are not given up at checkpoints, as long as the log does not grow too large by it.
 */
import type { Clock } from '@shanghai/env';

/** How long a reader is waited for. */
const pinMs = 600_000;

/** A log that has grown beyond this is cut all the same: its entries are in memory. */
const maxPinnedBytes = 64 * 1024 * 1024;

/** What readers of one group's log still want. */
export class LogPins {
  readonly #clock: Clock;
  #index = Number.POSITIVE_INFINITY;
  #untilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A reader has everything up to `index` and will come for more. Of several the last one to come counts. */
  pin(index: number): void {
    this.#index = index;
    this.#untilMs = this.#clock.monotonicMs() + pinMs;
  }

  /** Up to where a log of so many bytes may be cut, of what is durable up to `durableIndex`. */
  cuttable(durableIndex: number, logBytes: number): number {
    const isPinned = this.#clock.monotonicMs() < this.#untilMs && logBytes <= maxPinnedBytes;
    return isPinned ? Math.min(durableIndex, this.#index) : durableIndex;
  }
}
