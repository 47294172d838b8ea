/**
 * Runs of entries one after the other, and whoever must see the state between two of them. The log's own owner of the
 * state takes snapshots between runs by itself; this is for others, who do not know when a run begins.
 */
export class ApplyBoundary {
  #running: Promise<unknown> = Promise.resolve();
  #held: Promise<void> | undefined;

  /** Applies a run. Begins at once, unless somebody is between two runs. */
  async run<Result>(apply: () => Promise<Result>): Promise<Result> {
    while (this.#held !== undefined) await this.#held;
    const running = apply();
    this.#running = running;
    return running;
  }

  /** Calls `work` when no run is under way; the next one waits for it. Of several, one after the other. */
  async between<Result>(work: () => Promise<Result>): Promise<Result> {
    while (this.#held !== undefined) await this.#held;
    let release = () => {};
    this.#held = new Promise((resolve) => {
      release = resolve;
    });
    try {
      await this.#running.catch(() => undefined);
      return await work();
    } finally {
      this.#held = undefined;
      release();
    }
  }
}
