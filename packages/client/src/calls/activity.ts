import { invariant } from '@shanghai/env';

/** Counts the calls of a client that go on, keeps the process alive while there are any, and refuses new ones once closed. */
export class Activity {
  #count = 0;
  #closed = false;
  #waiters: (() => void)[] = [];
  #release: (() => void) | undefined;
  readonly #keepAlive: (() => () => void) | undefined;

  /** `keepAlive` keeps the process alive until the function it returned is called. */
  constructor(keepAlive: (() => () => void) | undefined) {
    this.#keepAlive = keepAlive;
  }

  /** Calls that go on. */
  get count(): number {
    return this.#count;
  }

  /** Whether `close` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** A call begins. */
  begin(): void {
    if (this.#count++ === 0) this.#release = this.#keepAlive?.();
  }

  /** Calls have settled. */
  end(count = 1): void {
    invariant(this.#count >= count, 'more calls ended than began');
    this.#count -= count;
    if (this.#count > 0) return;
    this.#release?.();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /** Refuses new calls, and resolves when those that go on have settled. */
  close(): Promise<void> {
    this.#closed = true;
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }
}
