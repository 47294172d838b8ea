/**
 * Requests that are still coming in, of all connections together. Each may be as large as a message or a body may be, so
 * that some thousands that never end would fill the memory of the process although none of them breaks a limit. Where
 * there is no room for more, the request that has been coming in for longest makes place: whoever begins a thousand
 * requests and ends none keeps nobody else out.
 */
import type { Metrics } from '@shanghai/telemetry';

/** What a part of a request costs beside its bytes: many small ones cost more than what is in them. */
const partBytes = 128;

/** The bytes of requests that are not answered yet. */
export class ReceiveBudget {
  readonly #limitBytes: number;
  readonly #refused: () => void;
  /** Those that are not complete, the oldest first. */
  readonly #incoming = new Set<ReceiveShare>();
  #held = 0;

  /** `refused` is told of every request that was cut off or found no room. */
  constructor(limitBytes: number, refused: () => void = () => undefined) {
    this.#limitBytes = limitBytes;
    this.#refused = refused;
  }

  get heldBytes(): number {
    return this.#held;
  }

  get limitBytes(): number {
    return this.#limitBytes;
  }

  /** A share for one request; `cutOff` is called where it has to make place, and ends the request. */
  open(cutOff: () => void): ReceiveShare {
    return new ReceiveShare(this, cutOff);
  }

  /** Whether there is room for more of a request; for shares only. */
  take(share: ReceiveShare, bytes: number): boolean {
    while (this.#held + bytes > this.#limitBytes) {
      const [oldest] = this.#incoming;
      this.#refused();
      if (oldest === undefined || oldest === share) return false;
      oldest.evict();
    }
    this.#incoming.add(share);
    this.#held += bytes;
    return true;
  }

  /** A share is not evicted any more; for shares only. */
  settle(share: ReceiveShare): void {
    this.#incoming.delete(share);
  }

  /** For shares only. */
  give(bytes: number): void {
    this.#held -= bytes;
  }
}

/** What one request holds of a budget. */
export class ReceiveShare {
  readonly #budget: ReceiveBudget;
  readonly #cutOff: () => void;
  #bytes = 0;
  #isOver = false;

  constructor(budget: ReceiveBudget, cutOff: () => void) {
    this.#budget = budget;
    this.#cutOff = cutOff;
  }

  /** A part of the request came; whether there is room for it, and the request may go on. */
  add(bytes: number): boolean {
    const cost = bytes + partBytes;
    if (this.#isOver || !this.#budget.take(this, cost)) return false;
    this.#bytes += cost;
    return true;
  }

  /** All of it is there: it is answered now, and makes place no more. */
  complete(): void {
    this.#budget.settle(this);
  }

  /** Keeps so many bytes at most. */
  shrinkTo(bytes: number): void {
    const given = Math.max(0, this.#bytes - bytes);
    this.#budget.give(given);
    this.#bytes -= given;
  }

  /** What was held is not any more. Idempotent. */
  release(): void {
    this.#budget.settle(this);
    this.#budget.give(this.#bytes);
    this.#bytes = 0;
  }

  /** Makes place for another one. */
  evict(): void {
    this.#isOver = true;
    this.release();
    this.#cutOff();
  }
}

/** A budget whose refusals are counted, and which shows what is held. */
export function observedBudget(metrics: Metrics, limitBytes: number): ReceiveBudget {
  const refused = metrics
    .counter({ name: 'requests_without_room_total', help: 'Requests ended because too many bytes were coming in.' })
    .series();
  const budget = new ReceiveBudget(limitBytes, () => refused.add());
  const held = metrics.gauge({ name: 'receiving_bytes', help: 'Bytes of requests that are not answered yet.' });
  metrics.beforeCollect(() => held.set(budget.heldBytes));
  return budget;
}
