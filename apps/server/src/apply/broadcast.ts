/** Wakes everybody who waits. Nothing is kept for those who do not: look first, then wait. */
export class Broadcast {
  #waiting = new Set<() => void>();
  #count = 0;

  /** How often `notify` was called. */
  get count(): number {
    return this.#count;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Wakes all who wait now. */
  notify(): void {
    this.#count++;
    if (this.#waiting.size === 0) return;
    const woken = this.#waiting;
    this.#waiting = new Set();
    for (const wake of woken) wake();
  }

  /**
   * Resolves at the next `notify`, or when the signal aborts. `seen` is the `count` from before the caller looked: what
   * happened since then is not waited for.
   */
  wait(signal?: AbortSignal, seen = this.#count): Promise<void> {
    if (signal?.aborted || seen !== this.#count) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        signal?.removeEventListener('abort', wake);
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }
}
