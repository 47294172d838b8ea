import type { RequestContext } from './request-context.js';
import { ServerError } from './server-error.js';

/** Lets requests in while the node is open, and ends streams when it is about to close. */
export class Gate {
  readonly #closed = new AbortController();
  readonly #draining = new AbortController();
  #isLeaving = false;

  /** Aborts when the node takes no requests any more. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Whether the node is ready no more: it closes, or hands over what it leads before it does. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Throws where a request may not begin: nothing was done. */
  enter(context: RequestContext): void {
    if (this.#closed.signal.aborted) throw closing();
    if (context.isCancelled) throw new ServerError('CANCELLED', 'the caller gave up before the request began');
  }

  /** The node is ready no more; requests still enter. */
  leave(): void {
    this.#isLeaving = true;
  }

  /** Streams fail with `SERVICE_UNAVAILABLE`, those that begin as well: others can serve them by now. */
  endStreams(): void {
    this.#isLeaving = true;
    this.#draining.abort();
  }

  /** From now on nothing enters, and streams fail. */
  close(): void {
    this.endStreams();
    this.#closed.abort();
  }

  /** A stream that ends when the caller's signal aborts, and fails when the node closes. */
  async *untilClosed<T>(signal: AbortSignal, open: (signal: AbortSignal) => AsyncIterable<T>): AsyncGenerator<T> {
    yield* open(AbortSignal.any([signal, this.#draining.signal]));
    if (this.#draining.signal.aborted && !signal.aborted) throw closing();
  }
}

function closing(): ServerError {
  return new ServerError('SERVICE_UNAVAILABLE', 'the node is closing; nothing was done, ask another');
}
