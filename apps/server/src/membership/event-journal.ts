import type { Clock, Timer } from '@shanghai/env';
import type { GossipEvent, GossipEventPage } from './node-gossip.js';

/** So many events are kept. */
const keptEvents = 1_000;
/** So many may wait for one; of more none waits. */
const maxWaiting = 256;

interface Waiting {
  readonly after: number;
  readonly done: () => void;
}

/** The last events, numbered, and those who wait for the next one. */
export class EventJournal {
  readonly #clock: Clock;
  readonly #events: GossipEvent[] = [];
  readonly #waiting = new Set<Waiting>();
  #last = 0;
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Numbers and keeps an event; gives it back. */
  add(event: Omit<GossipEvent, 'number' | 'atMs'>): GossipEvent {
    const kept = { ...event, number: ++this.#last, atMs: this.#clock.nowMs() };
    this.#events.push(kept);
    if (this.#events.length > keptEvents) this.#events.shift();
    for (const waiting of [...this.#waiting]) if (waiting.after < kept.number) waiting.done();
    return kept;
  }

  /** At most `limit` of those behind `after`. A number from before this start is as good as 0. */
  page(after: number, limit: number): GossipEventPage {
    const from = after > this.#last ? 0 : after;
    return { events: this.#events.filter(({ number }) => number > from).slice(0, limit), last: this.#last };
  }

  /** Resolves when there is one behind `after`, or `waitMs` are over. */
  wait(after: number, waitMs: number): Promise<void> {
    const isThere = after < this.#last || after > this.#last;
    if (isThere || this.#isClosed || this.#waiting.size >= maxWaiting) return Promise.resolve();
    return new Promise((resolve) => {
      const timer: { current?: Timer } = {};
      const waiting = {
        after,
        done: () => {
          timer.current?.cancel();
          this.#waiting.delete(waiting);
          resolve();
        },
      };
      this.#waiting.add(waiting);
      timer.current = this.#clock.setTimer(waitMs, waiting.done);
    });
  }

  /** Nobody waits any more. */
  close(): void {
    this.#isClosed = true;
    for (const { done } of [...this.#waiting]) done();
  }
}
