import type { Clock, Timer } from '@shanghai/env';
import type { Broadcast } from '../apply/broadcast.js';
import { ServerError } from '../requests/server-error.js';

/** What waits look at. */
export interface AppliedWaitsOptions {
  readonly groupId: number;
  /** Told whenever `appliedIndex` may have moved, or `failure` changed. */
  readonly published: Broadcast;
  /** The last entry that readers see. */
  readonly appliedIndex: () => number;
  /** Why nothing more will be applied, once that is so. */
  readonly failure: () => ServerError | undefined;
  readonly clock: Clock;
  /** The longest wait. */
  readonly timeoutMs: number;
}

interface Wait {
  readonly index: number;
  readonly deadlineMs: number;
  readonly resolve: () => void;
  readonly reject: (error: ServerError) => void;
}

/**
 * Reads that wait for an entry to be applied here. Applying may be stuck (a disk, a snapshot, a leader that is cut off),
 * and then they are told so instead of waiting for ever. One loop and one timer serve all of them.
 */
export class AppliedWaits {
  readonly #options: AppliedWaitsOptions;
  /** In the order of their deadlines. */
  #waits: Wait[] = [];
  #isLooking = false;
  #timer: Timer | undefined;
  #closed: ServerError | undefined;

  constructor(options: AppliedWaitsOptions) {
    this.#options = options;
  }

  /** Resolves when entry `index` is applied. Rejects with `CLUSTER_ERROR` when that takes too long; the read did nothing. */
  until(index: number): Promise<void> {
    const { appliedIndex, clock, timeoutMs } = this.#options;
    if (appliedIndex() >= index) return Promise.resolve();
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      this.#waits.push({ index, deadlineMs: clock.monotonicMs() + timeoutMs, resolve, reject });
      this.#timer ??= clock.setTimer(timeoutMs, () => this.#expire());
      if (!this.#isLooking) void this.#look();
    });
  }

  /** Ends all waits with this error, and those to come. */
  close(error: ServerError): void {
    this.#closed = error;
    this.#timer?.cancel();
    for (const { reject } of this.#waits.splice(0)) reject(error);
  }

  async #look(): Promise<void> {
    const { published } = this.#options;
    this.#isLooking = true;
    for (;;) {
      const seen = published.count;
      this.#settle();
      if (this.#waits.length === 0) break;
      await published.wait(undefined, seen);
    }
    this.#isLooking = false;
  }

  #settle(): void {
    const { appliedIndex, failure } = this.#options;
    const applied = appliedIndex();
    const left = this.#waits.filter(({ index }) => index > applied);
    for (const { index, resolve } of this.#waits) if (index <= applied) resolve();
    const failed = left.length === 0 ? undefined : failure();
    this.#waits = failed === undefined ? left : [];
    if (failed !== undefined) for (const { reject } of left) reject(failed);
  }

  #expire(): void {
    const { clock } = this.#options;
    this.#timer = undefined;
    this.#settle();
    const nowMs = clock.monotonicMs();
    const late = this.#waits.filter(({ deadlineMs }) => deadlineMs <= nowMs);
    this.#waits = this.#waits.slice(late.length);
    for (const { index, reject } of late) reject(this.#tooLate(index));
    const next = this.#waits[0];
    if (next !== undefined) this.#timer = clock.setTimer(next.deadlineMs - nowMs, () => this.#expire());
  }

  #tooLate(index: number): ServerError {
    const { groupId, timeoutMs, appliedIndex } = this.#options;
    const applied = appliedIndex();
    return new ServerError(
      'CLUSTER_ERROR',
      `a read of group ${groupId} waited ${timeoutMs} ms for entry ${index} to be applied here, where ${applied} is; ` +
        'ask another node, or try again',
      { details: { waitedIn: 'applied', index, appliedIndex: applied } },
    );
  }
}
