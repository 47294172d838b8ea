/**
 * What lies between nodes: delay, loss, doubling, reordering, cuts in one direction or both, connections that break.
 * Everything that goes from one place to another asks here whether, and when, it arrives. Places are numbers: nodes by
 * their ids, clients above them.
 */
import type { Random } from '@shanghai/env';
import type { VirtualWorld } from './virtual-world.js';

/** How a network behaves. Shares are probabilities, times in ms. */
export interface NetworkConditions {
  readonly lostShare: number;
  readonly doubledShare: number;
  /** Usual delays lie in [min, max). */
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  /** So many take up to a second. */
  readonly slowShare: number;
  /** On one lane between two places nothing overtakes. */
  readonly isOrdered: boolean;
  /** Steps of a snapshot's stream at which the connection breaks. */
  readonly breakShare: number;
}

/** A network in which nothing goes wrong. */
export const calmNetwork: NetworkConditions = {
  lostShare: 0,
  doubledShare: 0,
  minDelayMs: 0.2,
  maxDelayMs: 2,
  slowShare: 0,
  isOrdered: true,
  breakShare: 0,
};

/** What a network went through. */
export interface NetworkCounts {
  carried: number;
  lost: number;
  doubled: number;
  broken: number;
}

const slowMs = 1000;

/** Carries whatever it is given. */
export class VirtualNetwork {
  conditions: NetworkConditions = calmNetwork;
  /** Called at each step of a snapshot's stream, with where it comes from and goes to. */
  onSnapshotStep: ((from: number, to: number) => void) | undefined;
  readonly counts: NetworkCounts = { carried: 0, lost: 0, doubled: 0, broken: 0 };
  readonly #world: VirtualWorld;
  readonly #random: Random;
  /** `from>to` of pairs that nothing passes. */
  readonly #cut = new Set<string>();
  /** When the last of each lane arrives. */
  readonly #lastMs = new Map<string, number>();
  /** How often the connection of a pair has broken. */
  readonly #breaks = new Map<string, number>();

  constructor(world: VirtualWorld) {
    this.#world = world;
    this.#random = world.randomFor('network');
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

  /** The connections between two places break: what is on its way is lost. */
  break(a: number, b: number): void {
    this.counts.broken++;
    const pair = pairOf(a, b);
    this.#breaks.set(pair, (this.#breaks.get(pair) ?? 0) + 1);
  }

  /** A number that changes when the connection of two places breaks. */
  connectionOf(a: number, b: number): number {
    return this.#breaks.get(pairOf(a, b)) ?? 0;
  }

  /** Carries something whose loss its sender may or may not hear of. `deliver` is called once, twice, or not at all. */
  carry(from: number, to: number, lane: string, deliver: () => void, onLost: () => void): void {
    if (this.isCut(from, to) || this.#random.float() < this.conditions.lostShare) {
      this.#lose(onLost);
      return;
    }
    this.#deliver(from, to, lane, deliver, onLost);
    if (this.#random.float() >= this.conditions.doubledShare) return;
    this.counts.doubled++;
    this.#deliver(from, to, lane, deliver, () => {});
  }

  /** One way of a connection that is up: resolves when it arrives, rejects where the connection has broken since `connection`. */
  pass(from: number, to: number, connection: number): Promise<void> {
    if (this.#random.float() < this.conditions.breakShare) this.break(from, to);
    this.onSnapshotStep?.(from, to);
    return new Promise((resolve, reject) => {
      this.#world.queue.after(this.delayMs(), () => {
        if (this.isCut(from, to) || this.connectionOf(from, to) !== connection) {
          reject(new Error(`the connection from ${from} to ${to} is broken`));
        } else resolve();
      });
    });
  }

  /** How long something takes. */
  delayMs(): number {
    const { minDelayMs, maxDelayMs, slowShare } = this.conditions;
    if (this.#random.float() < slowShare) return this.#random.float() * slowMs;
    return minDelayMs + this.#random.float() * (maxDelayMs - minDelayMs);
  }

  #deliver(from: number, to: number, lane: string, deliver: () => void, onLost: () => void): void {
    const key = `${from}>${to} ${lane}`;
    const { nowMs } = this.#world;
    const connection = this.connectionOf(from, to);
    const ownMs = nowMs + this.delayMs();
    const atMs = this.conditions.isOrdered ? Math.max(ownMs, this.#lastMs.get(key) ?? 0) : ownMs;
    this.#lastMs.set(key, atMs);
    this.#world.queue.after(atMs - nowMs, () => {
      if (this.isCut(from, to) || this.connectionOf(from, to) !== connection) {
        this.#lose(onLost);
        return;
      }
      this.counts.carried++;
      deliver();
    });
  }

  /** Often the sender is told, some time later; else it hears nothing. */
  #lose(onLost: () => void): void {
    this.counts.lost++;
    if (this.#random.float() < 0.7) this.#world.queue.after(this.delayMs(), onLost);
  }
}

function pairOf(a: number, b: number): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}
