import type { Timer } from '@shanghai/env';
import type { StoreContext } from './store-context.js';
import type { Writer } from './writer.js';

/**
 * Makes everything written durable, beside the writer: by call, every `checkpointIntervalMs`, and after
 * `checkpointOperations`. Sealed segments are synced when they are sealed, so the active one and the directory are left.
 */
export class Checkpoints {
  readonly #store: StoreContext;
  readonly #writer: Writer;
  #timer: Timer | undefined;
  #operationsAtLast = 0;
  #running: Promise<{ readonly durableSequence: number }> | undefined;
  #stopped = false;
  /** Wall time of the last completed one, 0 where there was none. */
  lastMs = 0;

  constructor(store: StoreContext, writer: Writer) {
    this.#store = store;
    this.#writer = writer;
  }

  start(): void {
    const { clock, checkpointIntervalMs } = this.#store.options;
    if (this.#stopped) return;
    this.#timer = clock.setTimer(checkpointIntervalMs, () => {
      // A failure has poisoned the store: the next write tells.
      const done = this.#store.health.failure === undefined ? this.run().catch(() => undefined) : Promise.resolve();
      void done.then(() => this.start());
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** To be called when writes were applied. */
  afterWrites(): void {
    const { checkpointOperations } = this.#store.options;
    if (checkpointOperations === 0 || this.#stopped || this.#store.health.failure !== undefined) return;
    if (this.#writer.operations - this.#operationsAtLast >= checkpointOperations) this.run().catch(() => undefined);
  }

  /** One after the other; a call that comes while one runs gets one of its own behind it. */
  run(): Promise<{ readonly durableSequence: number }> {
    const before = this.#running ?? Promise.resolve(undefined);
    const mine = before.catch(() => undefined).then(() => this.#run());
    this.#running = mine;
    return mine;
  }

  /** Resolves when none runs. */
  async idle(): Promise<void> {
    await this.#running?.catch(() => undefined);
  }

  async #run(): Promise<{ readonly durableSequence: number }> {
    const { options, health } = this.#store;
    if (health.failure !== undefined) throw health.failure;
    const startedMs = options.clock.monotonicMs();
    this.#operationsAtLast = this.#writer.operations;
    const covered = this.#writer.writtenSequence;
    if (this.#writer.durableSequence < covered) {
      await this.#writer.sync();
      await options.disk.syncDirectory(options.directory);
    }
    this.lastMs = options.clock.nowMs();
    const { durableSequence } = this.#writer;
    options.listener.checkpoint?.({ durableSequence, durationMs: options.clock.monotonicMs() - startedMs });
    return { durableSequence };
  }
}
