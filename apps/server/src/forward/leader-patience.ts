/**
 * Requests that come while leadership is on its way from one node to another. Nothing was done for them yet, so they are
 * held for a moment and done again when something has changed: who asks with a plain HTTP client should not see that a
 * node was stopped. Only for requests that this node may pass on; clients that know the nodes go to the leader themselves.
 */
import type { Clock } from '@shanghai/env';
import type { Broadcast } from '../apply/broadcast.js';
import type { RequestContext } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';

/** What patience is made of. */
export interface LeaderPatienceParts {
  readonly clock: Clock;
  /** Leaders or terms have changed. */
  readonly changed: Broadcast;
  /** How long a request is held. 0: it is refused at once. */
  readonly patienceMs: number;
  /** Aborts when this node takes no requests any more. */
  readonly closed: AbortSignal;
}

/** Between attempts, where nothing is heard. */
const againMs = 50;

/** Failures by which nothing was done, and that pass when somebody leads again. */
const passing: ReadonlySet<string> = new Set(['CLUSTER_ERROR', 'SERVICE_UNAVAILABLE']);

/** Holds requests that found no leader. */
export class LeaderPatience {
  readonly #parts: LeaderPatienceParts;

  constructor(parts: LeaderPatienceParts) {
    this.#parts = parts;
  }

  /** Does it, and again while it is refused for want of a leader; rejects as the last attempt did. */
  run<T>(context: RequestContext, work: () => Promise<T>): Promise<T> {
    if (context.mayForward !== true) return work();
    return work().catch((error: unknown) => this.again(context, work, error));
  }

  /** As `run`, for answers of several parts: begun again while nothing of it has come. */
  async *pages<T>(context: RequestContext, open: () => AsyncIterable<T>): AsyncGenerator<T> {
    const begin = async () => {
      const parts = open()[Symbol.asyncIterator]();
      return { parts, first: await parts.next() };
    };
    const { parts, first } = await this.run(context, begin);
    if (first.done === true) return;
    try {
      yield first.value;
      for (let next = await parts.next(); next.done !== true; next = await parts.next()) yield next.value;
    } finally {
      await parts.return?.();
    }
  }

  /** Does again what was refused. */
  async again<T>(context: RequestContext, work: () => Promise<T>, refusal: unknown): Promise<T> {
    const { clock, patienceMs, closed } = this.#parts;
    const endMs = clock.monotonicMs() + patienceMs;
    let error = refusal;
    while (isPassing(error) && context.mayForward === true && clock.monotonicMs() < endMs && !closed.aborted) {
      await this.#news(context.signal);
      if (context.isCancelled) break;
      try {
        return await work();
      } catch (again) {
        error = again;
      }
    }
    throw error;
  }

  /** Something has changed, or some time is over. */
  async #news(signal: AbortSignal): Promise<void> {
    const { clock, changed } = this.#parts;
    const over = new AbortController();
    const timer = clock.setTimer(againMs, () => over.abort());
    await changed.wait(AbortSignal.any([signal, over.signal]));
    timer.cancel();
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof ServerError && passing.has(error.code);
}
