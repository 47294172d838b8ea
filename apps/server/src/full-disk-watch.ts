/**
 * A leader whose log has room but whose state has none would keep a whole cluster waiting: it refuses what it could not
 * apply, and its heartbeats keep the others, who have space, from taking over. So it hands leadership on. Who takes it
 * over may be full as well, so each attempt names another node than the one before, and attempts are rare.
 */
import type { Clock, Timer } from '@shanghai/env';
import type { Replica } from './raft/replica.js';

/** What is watched. */
export interface FullDiskWatchParts {
  readonly replicas: readonly Replica[];
  readonly clock: Clock;
}

const tickMs = 1000;

/** A full disk is often full for a moment only: this many looks in succession must find it so. */
const looksBefore = 2;

/** Looks between attempts: time for a successor, and no ping-pong where every disk is full. */
const looksBetween = 10;

/** Hands the leadership of groups on that wait for space here. */
export class FullDiskWatch {
  readonly #parts: FullDiskWatchParts;
  /** By group: looks until the next attempt, and who was named last. */
  readonly #waiting = new Map<number, { looksLeft: number; successor: number | undefined }>();
  #timer: Timer | undefined;

  constructor(parts: FullDiskWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = this.#parts.clock.setTimer(tickMs, () => {
      this.start();
      for (const replica of this.#parts.replicas) this.#look(replica);
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look({ groupId, log }: Replica): void {
    const { role, state } = log.status();
    const known = this.#waiting.get(groupId);
    if (state !== 'full') {
      if (known !== undefined) this.#waiting.delete(groupId);
      return;
    }
    const waiting = known ?? { looksLeft: looksBefore, successor: undefined };
    this.#waiting.set(groupId, waiting);
    waiting.looksLeft = Math.max(0, waiting.looksLeft - 1);
    if (role !== 'leader' || waiting.looksLeft > 0) return;
    waiting.looksLeft = looksBetween;
    void log.stepAside(waiting.successor).then((successor) => {
      waiting.successor = successor;
    });
  }
}
