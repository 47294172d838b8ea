/** Lets any number of waiters sleep until somebody says that there is news. */
export class WakeUp {
  #waiters: (() => void)[] = [];

  /** There is news: everybody who waits goes on. */
  notify(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /** Resolves at the next news, or when the signal aborts. */
  wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      this.#waiters.push(resolve);
    });
  }
}
