/** Looks at how far followers are behind, where something has changed or is lacking, and tells what is new. */
import { type Lag, LagMonitor } from '../core/lag-monitor.js';
import type { VersionVector } from '../core/version-vector.js';
import type { ReplicationListener } from './replication-listener.js';

/** What is to be looked at. */
export interface LagSubject {
  readonly follower: number;
  /** What it holds, as far as it has ever said. */
  readonly told: VersionVector;
}

/** The followers of a node. */
export class LagWatch {
  readonly #held: VersionVector;
  readonly #listener: ReplicationListener;
  readonly #monitor: LagMonitor;
  /** Follower → origins to look at again. */
  readonly #due = new Map<number, Set<number>>();

  constructor(held: VersionVector, listener: ReplicationListener, laggingMs: number, staleMs: number) {
    this.#held = held;
    this.#listener = listener;
    this.#monitor = new LagMonitor(laggingMs, staleMs);
  }

  /** A follower has got further with an origin, or this node has, for which `follower` is absent. */
  touch(origin: number, follower?: number): void {
    if (follower !== undefined) this.#dueOf(follower).add(origin);
    else for (const origins of this.#due.values()) origins.add(origin);
  }

  /** Looks at what is due. */
  tick(nowMs: number, subjects: Iterable<LagSubject>): void {
    for (const { follower, told } of subjects) {
      const isNew = !this.#due.has(follower);
      const due = this.#dueOf(follower);
      const origins = isNew ? [...this.#held.origins()] : [...due];
      due.clear();
      for (const origin of origins) {
        if (this.#look(nowMs, origin, follower, told)) due.add(origin);
      }
    }
  }

  /** How it is now, of all logs or of one. */
  lagOf(nowMs: number, origin: number, { follower, told }: LagSubject, logId?: number): Lag {
    this.#look(nowMs, origin, follower, told);
    return this.#monitor.lagOf(nowMs, origin, follower, logId) as Lag;
  }

  stateOf(lagMs: number): 'healthy' | 'lagging' | 'stale' {
    return this.#monitor.stateOf(lagMs);
  }

  /** A follower is no member any more. */
  forget(follower: number): void {
    this.#due.delete(follower);
    this.#monitor.forget(follower);
  }

  /** Whether it lacks something. */
  #look(nowMs: number, origin: number, follower: number, told: VersionVector): boolean {
    const lacking = this.#held.lackedBy(told, origin);
    for (const news of this.#monitor.observe(nowMs, origin, follower, told.sumOf(origin), lacking)) {
      if (news.type === 'behind') this.#listener.behind?.(news.origin, news.follower, news.state, news.lagEntries);
      else this.#listener.caughtUp?.(news.origin, news.follower);
    }
    return lacking.length > 0;
  }

  #dueOf(follower: number): Set<number> {
    const due = this.#due.get(follower) ?? new Set();
    this.#due.set(follower, due);
    return due;
  }
}
