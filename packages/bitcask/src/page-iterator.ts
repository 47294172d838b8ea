import type { BitcaskEntry } from './bitcask.js';
import type { RangeScan } from './range-scan.js';

type Entries = readonly BitcaskEntry[];

/**
 * Iterates over the pages of a scan that begins with the first `next`. It gives the snapshot back at the end, by
 * `return`, by an error, and when `signal` aborts, also while a disk does not answer. Calls of `next` may overlap;
 * they are answered in order.
 */
export class PageIterator implements AsyncIterableIterator<Entries> {
  readonly #begin: () => RangeScan | undefined;
  readonly #signal: AbortSignal | undefined;
  #scan: RangeScan | undefined;
  #state: 'new' | 'open' | 'ended' = 'new';
  #last: Promise<unknown> = Promise.resolve();

  constructor(begin: () => RangeScan | undefined, signal: AbortSignal | undefined) {
    this.#begin = begin;
    this.#signal = signal;
  }

  next(): Promise<IteratorResult<Entries, undefined>> {
    const result = this.#last.then(() => this.#step());
    this.#last = result.catch(() => undefined);
    return result;
  }

  async return(): Promise<IteratorResult<Entries, undefined>> {
    this.#end();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #step(): Promise<IteratorResult<Entries, undefined>> {
    if (this.#state === 'ended') return { done: true, value: undefined };
    try {
      this.#signal?.throwIfAborted();
      if (this.#state === 'new') {
        this.#state = 'open';
        this.#scan = this.#begin();
      }
      const page = await unlessAborted(this.#scan?.nextPage(), this.#signal);
      if (page !== undefined) return { done: false, value: page };
    } catch (error) {
      this.#end();
      throw error;
    }
    this.#end();
    return { done: true, value: undefined };
  }

  #end(): void {
    this.#state = 'ended';
    this.#scan?.end();
    this.#scan = undefined;
  }
}

/** What `work` settles to, or the signal's reason as soon as it aborts. */
function unlessAborted<T>(work: Promise<T> | undefined, signal: AbortSignal | undefined): Promise<T> | undefined {
  if (signal === undefined || work === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
