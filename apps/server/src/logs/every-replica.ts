/**
 * Waits until every replica of a group has what was just applied on its disk: acknowledgement level `all`. The leader hears
 * from each how far it has come; while somebody waits it looks every few milliseconds, once for all who wait.
 */
import type { Clock, Timer } from '@shanghai/env';
import type { Replica } from '../raft/replica.js';
import { ServerError } from '../requests/server-error.js';

/** Between looks. */
const lookMs = 2;

interface Waiting {
  readonly index: number;
  readonly untilMs: number;
  readonly resolve: () => void;
  readonly reject: (error: ServerError) => void;
}

/** Those who wait for every replica of a group. */
export class EveryReplica {
  readonly #replica: Replica;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #waiting: Waiting[] = [];
  #timer: Timer | undefined;

  constructor(replica: Replica, clock: Clock, timeoutMs: number) {
    this.#replica = replica;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** Resolves when every replica, learners too, has everything that is applied here now. Rejects with `OUTCOME_UNKNOWN`. */
  has(): Promise<void> {
    const index = this.#replica.machine.visible.appliedIndex;
    const untilMs = this.#clock.monotonicMs() + this.#timeoutMs;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ index, untilMs, resolve, reject });
      if (this.#timer === undefined) this.#look();
    });
  }

  #look(): void {
    this.#timer = undefined;
    const { role, replicas } = this.#replica.log.status().raft;
    const held = Math.min(...replicas.map(({ matchIndex }) => matchIndex));
    const nowMs = this.#clock.monotonicMs();
    const left: Waiting[] = [];
    for (const waiting of this.#waiting) {
      if (role !== 'StateLeader') waiting.reject(notKnown('this node does not lead any more', replicas.length));
      else if (held >= waiting.index) waiting.resolve();
      else if (nowMs >= waiting.untilMs) waiting.reject(notKnown(`within ${this.#timeoutMs} ms`, replicas.length));
      else left.push(waiting);
    }
    this.#waiting = left;
    if (left.length > 0) this.#timer = this.#clock.setTimer(lookMs, () => this.#look());
  }
}

function notKnown(why: string, replicas: number): ServerError {
  const message = `the entries are on a majority's disks; that all ${replicas} replicas hold them is not known: ${why}`;
  return new ServerError('OUTCOME_UNKNOWN', message, { details: { isDurable: true, acknowledgement: 'all' } });
}
