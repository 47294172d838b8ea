import type { HostLog } from '../ports/group-log.js';
import type { HostListener } from './host-listener.js';
import type { HostLimits } from './host-options.js';

/**
 * Sees whether the disk answers. Looked at with every tick, so that a disk that is silent cannot hide it by holding up
 * whoever looks. Where the tick itself is late this process was held up: its answers may be there and not looked at yet.
 */
export class DiskWatch {
  /** It has been silent for longer than a leader may wait. */
  isStalled = false;
  readonly #log: HostLog;
  readonly #limits: HostLimits;
  readonly #listener: HostListener;
  #checkedMs: number;
  #wasLate = false;
  #stalledSinceMs = 0;

  constructor(log: HostLog, limits: HostLimits, listener: HostListener, nowMs: number) {
    this.#checkedMs = nowMs;
    this.#log = log;
    this.#limits = limits;
    this.#listener = listener;
  }

  /** How long the oldest write has been waiting. */
  waitedMs(nowMs: number): number {
    return nowMs - (this.#log.waitingSinceMs() ?? nowMs);
  }

  /** What has changed since the last look. */
  check(nowMs: number): 'stalled' | 'fatal' | 'answered' | undefined {
    const { tickMs, stallStepDownMs, stallFatalMs } = this.#limits;
    const isLate = !this.#wasLate && nowMs - this.#checkedMs > 3 * tickMs;
    this.#wasLate = isLate;
    this.#checkedMs = nowMs;
    const waitedMs = this.waitedMs(nowMs);
    if (isLate) return undefined;
    if (waitedMs >= stallFatalMs) return 'fatal';
    if (waitedMs >= stallStepDownMs && !this.isStalled) {
      this.isStalled = true;
      this.#stalledSinceMs = nowMs - waitedMs;
      this.#listener.diskStalled?.({ waitedMs });
      return 'stalled';
    }
    if (waitedMs < stallStepDownMs && this.isStalled) {
      this.isStalled = false;
      this.#listener.diskAnswered?.({ waitedMs: nowMs - this.#stalledSinceMs });
      return 'answered';
    }
    return undefined;
  }
}
