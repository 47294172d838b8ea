import type { Timer } from '@shanghai/env';
import type { Checkpoints } from './checkpoints.js';
import type { SegmentLog } from './segment-log.js';
import type { StoreContext } from './store-context.js';
import type { Writer } from './writer.js';

/** How long the writer is idle before the active segment's header tells of the last sync. */
const idleWitnessMs = 100;

/** What follows writes a little later: the sync of mode `interval`, the witness of an idle writer, checkpoints by operations. */
export class Upkeep {
  readonly #store: StoreContext;
  readonly #log: SegmentLog;
  readonly #writer: Writer;
  readonly #checkpoints: Checkpoints;
  #syncTimer: Timer | undefined;
  #witnessTimer: Timer | undefined;
  #stopped = false;

  constructor(store: StoreContext, log: SegmentLog, writer: Writer, checkpoints: Checkpoints) {
    this.#store = store;
    this.#log = log;
    this.#writer = writer;
    this.#checkpoints = checkpoints;
  }

  /** To be called when the writer has run out of work, and after a sync beside it. */
  afterWrites(): void {
    if (this.#stopped) return;
    this.#checkpoints.afterWrites();
    const { clock, durability, syncIntervalMs } = this.#store.options;
    if (durability === 'interval' && this.#writer.durableSequence < this.#writer.writtenSequence) {
      this.#syncTimer ??= clock.setTimer(syncIntervalMs, () => this.#sync());
    }
    if (this.#log.active?.wantsWitness === true)
      this.#witnessTimer ??= clock.setTimer(idleWitnessMs, () => this.#witness());
  }

  stop(): void {
    this.#stopped = true;
    this.#syncTimer?.cancel();
    this.#witnessTimer?.cancel();
  }

  #sync(): void {
    this.#syncTimer = undefined;
    if (this.#stopped || this.#store.health.failure !== undefined) return;
    // A failure has poisoned the store: the next write tells.
    this.#writer.sync().then(
      () => this.afterWrites(),
      () => undefined,
    );
  }

  #witness(): void {
    this.#witnessTimer = undefined;
    if (this.#stopped || this.#store.health.failure !== undefined) return;
    void this.#writer.exclusively(async () => {
      const { active } = this.#log;
      if (active === undefined || !active.wantsWitness) return;
      // It only helps to tell damage from a crash: without it less is told.
      await active.writeWitness().catch(() => undefined);
    });
  }
}
