import type { HostListener } from '@shanghai/raft';
import { Broadcast } from '../apply/broadcast.js';

/** What the rest of the node wants to know of consensus: who cannot go on and why, and that something has changed. */
export class ConsensusEvents {
  /** What the host tells; `also` hears the same. */
  readonly listener: HostListener;
  /** Leaders, terms, members, the space for a log, or whether the clock is known have changed somewhere. */
  readonly changed = new Broadcast();
  readonly #onFailed: (groupId: number, error: Error) => void;
  readonly #failures = new Map<number, Error>();
  #fatal: Error | undefined;
  #diskStalls = 0;

  /** `onFailed` is told once a group; a failure of the host is one of every group in `groups`. */
  constructor(also: HostListener, onFailed: (groupId: number, error: Error) => void) {
    this.#onFailed = onFailed;
    this.listener = {
      ...also,
      roleChanged: (event) => {
        also.roleChanged?.(event);
        this.changed.notify();
      },
      configurationChanged: (event) => {
        also.configurationChanged?.(event);
        this.changed.notify();
      },
      clockKnown: () => {
        also.clockKnown?.();
        this.changed.notify();
      },
      logFull: (event) => {
        also.logFull?.(event);
        this.changed.notify();
      },
      diskStalled: (event) => {
        this.#diskStalls++;
        also.diskStalled?.(event);
      },
      failed: (event) => {
        also.failed?.(event);
        this.#fail(event.groupId, event.error);
      },
    };
  }

  /** How often the disk was silent for longer than a leader may wait. */
  get diskStalls(): number {
    return this.#diskStalls;
  }

  /** Why a group cannot go on. */
  failure(groupId: number): Error | undefined {
    return this.#failures.get(groupId) ?? this.#fatal;
  }

  /** No group can go on. */
  fatal(error: Error, groups: readonly number[]): void {
    this.#fatal ??= error;
    for (const groupId of groups) this.#fail(groupId, error);
  }

  #fail(groupId: number, error: Error): void {
    if (this.#failures.has(groupId)) return;
    this.#failures.set(groupId, error);
    this.#onFailed(groupId, error);
    this.changed.notify();
  }
}
