/**
 * The way into the store: what all sources bring, in the order in which it came. Runs that wait together go in one call;
 * several calls may be under way, and a call for something else than runs keeps its place among them. What waits is bounded
 * by the credit that was granted for it.
 */
import type { StoreOrder } from '../core/follower-session.js';
import type { Run } from '../core/run.js';
import type { EntryStore } from '../ports/entry-store.js';

/** Something to store, and whom to tell. */
export interface QueuedOrder {
  /** Absent: what came was there already. */
  readonly order: StoreOrder | undefined;
  readonly onStored: () => void;
}

/** Orders for one store. */
export class StoreQueue {
  readonly #store: EntryStore;
  readonly #maxCalls: number;
  readonly #onFailed: (error: unknown) => void;
  #waiting: QueuedOrder[] = [];
  #calls = 0;
  #last: Promise<void> = Promise.resolve();
  /** Other after each failure: what was called before is not heard any more. */
  #generation = 0;
  #idle: (() => void)[] = [];

  /** `onFailed`: an order failed, and with it all that were queued; none of them is told. */
  constructor(store: EntryStore, maxCalls: number, onFailed: (error: unknown) => void) {
    this.#store = store;
    this.#maxCalls = maxCalls;
    this.#onFailed = onFailed;
  }

  push(order: QueuedOrder): void {
    this.#waiting.push(order);
    this.#start();
  }

  /** Forgets what waits, and resolves when no call is under way. */
  close(): Promise<void> {
    this.#generation++;
    this.#waiting = [];
    return this.#calls === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  #start(): void {
    while (this.#waiting.length > 0 && this.#calls < this.#maxCalls) {
      const batch = this.#takeBatch();
      this.#calls++;
      const generation = this.#generation;
      const before = this.#last;
      // Credit goes back in the order of what came, also where there was nothing to store.
      const ended = this.#call(batch).then(() => before);
      this.#last = ended.catch(() => undefined);
      ended.then(
        () => this.#done(generation, batch),
        (error: unknown) => this.#failed(generation, error),
      );
    }
  }

  /** As many runs as stand first, or one thing that is no run. */
  #takeBatch(): QueuedOrder[] {
    const isRun = ({ order }: QueuedOrder) => order === undefined || order.type === 'run';
    let end = 0;
    while (end < this.#waiting.length && isRun(this.#waiting[end] as QueuedOrder)) end++;
    return this.#waiting.splice(0, Math.max(1, end));
  }

  async #call(batch: readonly QueuedOrder[]): Promise<void> {
    const first = batch[0]?.order;
    if (first !== undefined && first.type !== 'run') {
      await this.#callOther(first);
      return;
    }
    const runs: Run[] = [];
    for (const { order } of batch) if (order?.type === 'run') runs.push(order.run);
    if (runs.length > 0) await this.#store.receive(runs);
  }

  #callOther(order: Exclude<StoreOrder, { type: 'run' }>): Promise<void> {
    switch (order.type) {
      case 'skip':
        return this.#store.skip(order.stream, order.firstSequence);
      case 'rows':
        return this.#store.mergeRows(order.logId, order.rows);
      case 'mark':
        return this.#store.setMark(order.mark);
    }
  }

  #done(generation: number, batch: readonly QueuedOrder[]): void {
    this.#calls--;
    if (generation === this.#generation) {
      for (const { onStored } of batch) onStored();
      this.#start();
    }
    this.#tellIdle();
  }

  #failed(generation: number, error: unknown): void {
    this.#calls--;
    if (generation === this.#generation) {
      this.#generation++;
      this.#waiting = [];
      this.#onFailed(error);
    }
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#calls > 0) return;
    for (const tell of this.#idle.splice(0)) tell();
  }
}
