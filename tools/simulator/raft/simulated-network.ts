/** Messages between nodes: late, lost, twice, out of order, and not at all where a pair is cut apart. */
import type { Random } from '@shanghai/env';
import type { Message } from '@shanghai/raft';
import type { EventQueue } from '../event-queue.js';

/** How a network behaves. Shares are probabilities. */
export interface NetworkConditions {
  readonly lostShare: number;
  readonly doubledShare: number;
  /** Usual delays lie in [min, max). */
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  /** So many take up to a second. */
  readonly slowShare: number;
  /** Between two nodes nothing overtakes, as on one connection. */
  readonly isOrdered: boolean;
}

/** A network in which nothing goes wrong. */
export const calmNetwork: NetworkConditions = {
  lostShare: 0,
  doubledShare: 0,
  minDelayMs: 1,
  maxDelayMs: 3,
  slowShare: 0,
  isOrdered: true,
};

const slowMs = 1000;

/** Carries messages. */
export class SimulatedNetwork {
  readonly #queue: EventQueue;
  readonly #random: Random;
  readonly #deliver: (message: Message) => void;
  /** `from>to` of pairs that nothing passes. */
  readonly #cut = new Set<string>();
  /** When the last message of each pair arrives. */
  readonly #lastMs = new Map<string, number>();
  conditions: NetworkConditions = calmNetwork;

  constructor(queue: EventQueue, random: Random, deliver: (message: Message) => void) {
    this.#queue = queue;
    this.#random = random;
    this.#deliver = deliver;
  }

  /** Sends a message; `onLost` is called where it will not arrive, as a transport that sees its connection break. */
  send(message: Message, onLost: () => void): void {
    const { lostShare, doubledShare } = this.conditions;
    if (this.isCut(message.from, message.to) || this.#random.float() < lostShare) {
      this.#queue.after(this.#delayMs(), onLost);
      return;
    }
    this.#carry(message);
    if (this.#random.float() < doubledShare) this.#carry(message);
  }

  isCut(from: number, to: number): boolean {
    return this.#cut.has(`${from}>${to}`);
  }

  /** Lets nothing pass from one to the other; the other way is another matter. */
  cut(from: number, to: number): void {
    this.#cut.add(`${from}>${to}`);
  }

  /** Lets everything pass. */
  heal(): void {
    this.#cut.clear();
  }

  #carry(message: Message): void {
    const pair = `${message.from}>${message.to}`;
    const { nowMs } = this.#queue;
    const ownMs = nowMs + this.#delayMs();
    const atMs = this.conditions.isOrdered ? Math.max(ownMs, this.#lastMs.get(pair) ?? 0) : ownMs;
    this.#lastMs.set(pair, atMs);
    this.#queue.after(atMs - nowMs, () => {
      if (!this.isCut(message.from, message.to)) this.#deliver(message);
    });
  }

  #delayMs(): number {
    const { minDelayMs, maxDelayMs, slowShare } = this.conditions;
    if (this.#random.float() < slowShare) return this.#random.float() * slowMs;
    return minDelayMs + this.#random.float() * (maxDelayMs - minDelayMs);
  }
}
