import { type StreamId, streamKey } from '../core/entry-id.js';
import type { AcknowledgementLevel, Holdings } from '../core/holdings.js';
import { ReplicationError } from '../core/replication-error.js';

interface Waiter {
  readonly sequence: number;
  readonly level: AcknowledgementLevel;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Calls that wait until enough members hold an entry. */
export class Acknowledgements {
  readonly #holdings: Holdings;
  readonly #maxWaiters: number;
  readonly #waiting = new Map<string, { readonly stream: StreamId; readonly waiters: Set<Waiter> }>();
  #count = 0;

  constructor(holdings: Holdings, maxWaiters: number) {
    this.#holdings = holdings;
    this.#maxWaiters = maxWaiters;
  }

  /** As `Replicator.whenHeldBy`. */
  wait(stream: StreamId, sequence: number, level: AcknowledgementLevel, signal?: AbortSignal): Promise<void> {
    if (this.#holdings.heldBy(stream, level) >= sequence) return Promise.resolve();
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#count >= this.#maxWaiters) {
      return Promise.reject(new ReplicationError('BUSY', `${this.#count} appends wait to be held by others already`));
    }
    return new Promise((resolve, reject) => {
      const key = streamKey(stream);
      const of = this.#waiting.get(key) ?? { stream, waiters: new Set() };
      this.#waiting.set(key, of);
      const leave = () => {
        signal?.removeEventListener('abort', onAbort);
        of.waiters.delete(waiter);
        this.#count--;
        if (of.waiters.size === 0 && this.#waiting.get(key) === of) this.#waiting.delete(key);
      };
      const onAbort = () => waiter.reject(signal?.reason);
      const waiter: Waiter = {
        sequence,
        level,
        resolve: () => {
          leave();
          resolve();
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      of.waiters.add(waiter);
      this.#count++;
    });
  }

  /** Somebody holds more of these streams than before. */
  advance(streams: Iterable<{ readonly stream: StreamId }>): void {
    if (this.#count === 0) return;
    for (const { stream } of streams) {
      const of = this.#waiting.get(streamKey(stream));
      if (of !== undefined) this.#resolve(of.stream, of.waiters);
    }
  }

  /** Who counts has changed. */
  advanceAll(): void {
    for (const { stream, waiters } of [...this.#waiting.values()]) this.#resolve(stream, waiters);
  }

  /** Nobody waits any more. */
  rejectAll(error: unknown): void {
    for (const { waiters } of [...this.#waiting.values()]) for (const waiter of [...waiters]) waiter.reject(error);
  }

  #resolve(stream: StreamId, waiters: ReadonlySet<Waiter>): void {
    const held = new Map<AcknowledgementLevel, number>();
    for (const waiter of [...waiters]) {
      const { level, sequence } = waiter;
      const sequenceHeld = held.get(level) ?? this.#holdings.heldBy(stream, level);
      held.set(level, sequenceHeld);
      if (sequenceHeld >= sequence) waiter.resolve();
    }
  }
}
