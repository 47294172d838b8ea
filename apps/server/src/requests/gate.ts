import type { RequestContext } from './request-context.js';
import { ServerError } from './server-error.js';

/** Lets requests in while the node is open, and ends streams when it closes. */
export class Gate {
  readonly #closed = new AbortController();
  #isClosed = false;

  /** Aborts when the node begins to close. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Throws where a request may not begin: nothing was done. */
  enter(context: RequestContext): void {
    if (this.#isClosed) throw closing();
    if (context.isCancelled) throw new ServerError('CANCELLED', 'the caller gave up before the request began');
  }

  /** From now on nothing enters, and streams fail with `SERVICE_UNAVAILABLE`. */
  close(): void {
    this.#isClosed = true;
    this.#closed.abort();
  }

  /** A stream that ends when the caller's signal aborts, and fails when the node closes. */
  async *untilClosed<T>(signal: AbortSignal, open: (signal: AbortSignal) => AsyncIterable<T>): AsyncGenerator<T> {
    yield* open(AbortSignal.any([signal, this.#closed.signal]));
    if (this.#closed.signal.aborted && !signal.aborted) throw closing();
  }
}

function closing(): ServerError {
  return new ServerError('SERVICE_UNAVAILABLE', 'the node is closing; nothing was done, ask another');
}
