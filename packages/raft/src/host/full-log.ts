import { RaftError } from '../core/raft-error.js';
import type { HostContext } from './host-context.js';

/** It is tried again so often. */
const probeMs = 1_000;

/** Whether a log refused because there is no space, which may change. */
export function isLogFull(error: unknown): boolean {
  return error instanceof RaftError && error.code === 'LOG_FULL';
}

/** Waits for space for one group's log, by trying. */
export class FullLog {
  readonly #host: HostContext;
  readonly #reopen: () => Promise<void>;
  #nextProbeMs = 0;
  #isProbing = false;

  /** `reopen` rejects with `LOG_FULL` where there is still none; what else it rejects with is the end of the host. */
  constructor(host: HostContext, reopen: () => Promise<void>) {
    this.#host = host;
    this.#reopen = reopen;
  }

  /** It is full as of now. */
  begin(): void {
    this.#nextProbeMs = this.#host.clock.monotonicMs() + probeMs;
  }

  /** A tick without a log to write. */
  tick(nowMs: number): void {
    if (this.#isProbing || nowMs < this.#nextProbeMs) return;
    this.#isProbing = true;
    this.#nextProbeMs = nowMs + probeMs;
    this.#reopen()
      .catch((error: Error) => {
        if (!isLogFull(error)) this.#host.fail(error);
      })
      .finally(() => {
        this.#isProbing = false;
      });
  }
}
