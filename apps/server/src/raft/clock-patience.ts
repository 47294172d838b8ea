import type { Clock } from '@shanghai/env';
import type { Broadcast } from '../apply/broadcast.js';
import { ServerError } from '../requests/server-error.js';

/** Peers answer the question for the time within a round; those of the first release never do. */
const patienceMs = 2_000;

/** What the wait stands on. */
export interface ClockPatienceParts {
  readonly clock: Clock;
  /** Whether the clock is known, or need not be. */
  readonly isKnown: () => boolean;
  /** Told whenever what peers say of the clock, or who leads, may have changed. */
  readonly changed: Broadcast;
}

/**
 * What a leader waits for before its first proposal, if it was just started and has seen no log time since: whether its
 * clock can be believed. Nothing is proposed meanwhile; whoever waits goes on in the order in which they came. Where too few
 * answer in time, which clusters with nodes of the first release do not, the own clock counts.
 */
export class ClockPatience {
  readonly #parts: ClockPatienceParts;
  #over = new AbortController();
  #waiting: Promise<void> | undefined;
  #isClosed = false;

  constructor(parts: ClockPatienceParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when the clock is known, or nobody waits for that any longer. `undefined`: it is known. Rejects with
   * `SERVICE_UNAVAILABLE` when the node closes.
   */
  untilKnown(): Promise<void> | undefined {
    if (this.#waiting === undefined && this.#parts.isKnown()) return undefined;
    this.#waiting ??= this.#wait().finally(() => {
      this.#waiting = undefined;
    });
    return this.#waiting;
  }

  /** Log time has come from elsewhere, which may be what is waited for. */
  look(): void {
    if (this.#waiting !== undefined && this.#parts.isKnown()) this.#over.abort();
  }

  /** Ends the wait, and those to come. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#over.abort();
  }

  async #wait(): Promise<void> {
    const { clock, isKnown, changed } = this.#parts;
    if (!this.#isClosed) this.#over = new AbortController();
    const over = this.#over;
    const timer = clock.setTimer(patienceMs, () => over.abort());
    while (!over.signal.aborted) {
      const seen = changed.count;
      if (isKnown()) break;
      await changed.wait(over.signal, seen);
    }
    timer.cancel();
    if (this.#isClosed) throw new ServerError('SERVICE_UNAVAILABLE', 'the node is closing; ask another');
  }
}
