/**
 * Virtual time for code made of promises. An event runs, then everything that can run without time, then the next event:
 * nothing of the real clock decides anything, so a seed is one course of events to the last bit.
 *
 * What runs must wait by the ports alone (clock, disk, transport). A turn of the real event loop ends what waits for
 * nothing else (`setImmediate` once an event): promises made meanwhile are settled by then, and `loopTurn` of the stores,
 * which gives way to nobody here, goes on in the order it was asked for.
 */
import { createSeededRandom, loopTurn, type Random } from '@shanghai/env';
import { EventQueue } from '../event-queue.js';
import { Violation } from '../raft/truth.js';

/** What a world is made of. */
export interface WorldOptions {
  readonly seed: number;
  /** Told of what is of note, with its time. Watching changes nothing. */
  readonly onTrace?: ((line: string) => void) | undefined;
}

/** Virtual time, and chance, for everything of one simulation. */
export class VirtualWorld {
  readonly queue = new EventQueue();
  readonly seed: number;
  readonly #onTrace: ((line: string) => void) | undefined;
  readonly #moment = new DataView(new ArrayBuffer(8));
  #digest = 0x811c_9dc5;
  #failure: { readonly error: unknown } | undefined;

  constructor({ seed, onTrace }: WorldOptions) {
    this.seed = seed;
    this.#onTrace = onTrace;
  }

  get nowMs(): number {
    return this.queue.nowMs;
  }

  /** Follows from the time of every event so far: two runs in which anything differed differ in it soon. */
  get digest(): number {
    return this.#digest;
  }

  /** Chance for one purpose, by its name: what others draw does not change it. */
  randomFor(purpose: string): Random {
    let mixed = 0x811c_9dc5;
    for (let i = 0; i < purpose.length; i++) mixed = Math.imul(mixed ^ purpose.charCodeAt(i), 0x0100_0193);
    return createSeededRandom(this.seed * 0x10_0000 + ((mixed ^ (mixed >>> 16)) & 0xf_ffff));
  }

  /** A line for whoever reads the trace. */
  trace(line: () => string): void {
    this.#onTrace?.(`${this.nowMs.toFixed(3).padStart(12)} ${line()}`);
  }

  /** Ends the simulation with an error: what comes as a rejection that nobody waits for, or in a callback. The first counts. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /** Looks whether something holds: what it throws ends the simulation, and nothing of what is simulated. */
  check(look: () => void): void {
    try {
      look();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Lets everything happen up to a time. Rejects with the first failure. */
  async runUntil(endMs: number): Promise<void> {
    const { queue } = this;
    await this.#settle();
    while (queue.runNext(endMs)) {
      this.#mix(queue.nowMs);
      await this.#settle();
    }
  }

  /** Lets time go on until a promise settles; `limitMs` is from now. Settles likewise. */
  async runThrough<T>(what: string, promise: Promise<T>, limitMs: number): Promise<T> {
    let isSettled = false;
    const mark = () => {
      isSettled = true;
    };
    promise.then(mark, mark);
    const endMs = this.nowMs + limitMs;
    await this.#settle();
    while (!isSettled) {
      if (!this.queue.runNext(endMs)) throw new Violation(`${what} has not ended within ${limitMs} ms`);
      this.#mix(this.nowMs);
      await this.#settle();
    }
    return promise;
  }

  async #settle(): Promise<void> {
    await loopTurn();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #mix(value: number): void {
    this.#moment.setFloat64(0, value);
    const mixed = Math.imul(this.#digest ^ this.#moment.getUint32(0), 0x0100_0193);
    this.#digest = Math.imul(mixed ^ this.#moment.getUint32(4), 0x0100_0193) >>> 0;
  }
}
