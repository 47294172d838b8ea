import type { Clock, Timer } from '@shanghai/env';
import type { CallOptions } from '../key-value-store.js';
import type { GiveUpReason } from './give-up.js';
import { onAbort } from './on-abort.js';

/**
 * The life of one call: ends at its deadline, when its caller's signal aborts, or when the client closes, whatever
 * comes first. Hand `signal` to what the call waits for; `reason` says why it ended. Dispose it when the call settles.
 */
export class CallScope {
  /** Why the call was given up; `undefined` while it goes on. */
  reason: GiveUpReason | undefined;
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #stopListening: (() => void)[] = [];
  #timer: Timer | undefined;

  /** `timeoutMs` absent: no deadline. `closing` ends the call as closed. */
  constructor(clock: Clock, options: CallOptions, closing?: AbortSignal) {
    this.#clock = clock;
    const { signal, timeoutMs } = options;
    const aborted = () => this.#end({ why: 'aborted', cause: signal?.reason });
    const closed = () => this.#end({ why: 'closed' });
    if (timeoutMs !== undefined) this.restartTimer(timeoutMs);
    if (signal !== undefined) this.#stopListening.push(onAbort(signal, aborted));
    if (closing !== undefined) this.#stopListening.push(onAbort(closing, closed));
    if (closing?.aborted) closed();
    else if (signal?.aborted) aborted();
  }

  /** Aborts when the call is given up. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The deadline is so long from now, whatever it was. */
  restartTimer(timeoutMs: number): void {
    this.stopTimer();
    this.#timer = this.#clock.setTimer(timeoutMs, () => this.#end({ why: 'deadline', timeoutMs }));
  }

  /** No deadline until the timer is started again. */
  stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Releases the timer and listeners; the signal does not abort any more. Idempotent. */
  dispose(): void {
    this.stopTimer();
    for (const stop of this.#stopListening.splice(0)) stop();
  }

  #end(reason: GiveUpReason): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    this.dispose();
    this.#controller.abort(reason);
  }
}
