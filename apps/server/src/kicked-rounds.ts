/**
 * Work that is looked at whenever something may have changed: one round at a time, another one behind it where something
 * changed meanwhile, and one after a while where the last asked for that.
 */
import type { Clock, Timer } from '@shanghai/env';
import type { Broadcast } from './apply/broadcast.js';

/** What it stands on. */
export interface KickedRoundsParts {
  readonly clock: Clock;
  /** After each of their notifications it is looked at again. */
  readonly changes: readonly Broadcast[];
  /** One round. Resolves to after how many milliseconds another shall follow although nothing changed. Must not reject. */
  readonly round: () => Promise<number | undefined>;
}

/** The rounds of one duty. */
export class KickedRounds {
  readonly #parts: KickedRoundsParts;
  readonly #stopping = new AbortController();
  #isStarted = false;
  #isRunning = false;
  #isDueAgain = false;
  #again: Timer | undefined;

  constructor(parts: KickedRoundsParts) {
    this.#parts = parts;
  }

  /** Begins with a round. */
  start(): void {
    this.#isStarted = true;
    for (const changes of this.#parts.changes) void this.#follow(changes);
    this.kick();
  }

  /** Something has changed. Nothing happens before `start` and after `stop`. */
  kick(): void {
    if (!this.#isStarted || this.#stopping.signal.aborted) return;
    this.#isDueAgain = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  /** A round under way is not waited for; none follows. Idempotent. */
  stop(): void {
    this.#stopping.abort();
    this.#again?.cancel();
  }

  async #follow(changes: Broadcast): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await changes.wait(signal);
      this.kick();
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    this.#again?.cancel();
    let againMs: number | undefined;
    while (this.#isDueAgain && !signal.aborted) {
      this.#isDueAgain = false;
      againMs = await this.#parts.round();
    }
    this.#isRunning = false;
    if (againMs !== undefined && !signal.aborted) {
      this.#again = this.#parts.clock.setTimer(againMs, () => this.kick());
    }
  }
}
