/**
 * How far followers are behind, per origin, and for how long. A follower that lacks nothing is idle; one that lacks
 * something must, since that began, have come to where this node was then, or it is that much behind in time. So a follower
 * that keeps a small distance under load is healthy, and one that stands still with one entry to go is not.
 */

/** How a follower stands to an origin. */
export interface Lag {
  readonly lagEntries: number;
  /** 0 where it lacks nothing. */
  readonly lagMs: number;
  /** Since it last said that it holds more; -1 where it never has. */
  readonly sinceProgressMs: number;
}

/** What is told once. */
export type LagNews =
  | {
      readonly type: 'behind';
      readonly origin: number;
      readonly follower: number;
      readonly state: 'lagging' | 'stale';
      readonly lagEntries: number;
    }
  | { readonly type: 'caughtUp'; readonly origin: number; readonly follower: number };

interface Watched {
  heldEntries: number;
  lagEntries: number;
  /** When it had come to the target that was set last. */
  sinceMs: number;
  targetEntries: number;
  progressMs: number;
  told: 'none' | 'lagging' | 'stale';
}

/** Watches all followers. */
export class LagMonitor {
  readonly #laggingMs: number;
  readonly #staleMs: number;
  readonly #watched = new Map<number, Map<number, Watched>>();

  constructor(laggingMs: number, staleMs: number) {
    this.#laggingMs = laggingMs;
    this.#staleMs = staleMs;
  }

  /** A follower holds so many entries of an origin, and lacks so many. What is new about that. */
  observe(nowMs: number, origin: number, follower: number, heldEntries: number, lagEntries: number): LagNews[] {
    const watched = this.#watchedOf(nowMs, origin, follower);
    if (heldEntries !== watched.heldEntries) watched.progressMs = nowMs;
    watched.heldEntries = heldEntries;
    watched.lagEntries = lagEntries;
    if (lagEntries === 0 || heldEntries >= watched.targetEntries) {
      watched.sinceMs = nowMs;
      watched.targetEntries = heldEntries + lagEntries;
    }
    return newsOf(watched, origin, follower, this.#stateAt(nowMs, watched));
  }

  /** `undefined` where it was never observed. */
  lagOf(nowMs: number, origin: number, follower: number): Lag | undefined {
    const watched = this.#watched.get(follower)?.get(origin);
    if (watched === undefined) return undefined;
    const { lagEntries, sinceMs, progressMs } = watched;
    const sinceProgressMs = progressMs < 0 ? -1 : nowMs - progressMs;
    return { lagEntries, lagMs: lagEntries === 0 ? 0 : nowMs - sinceMs, sinceProgressMs };
  }

  /** What so long a lag is called. */
  stateOf(lagMs: number): 'healthy' | 'lagging' | 'stale' {
    if (lagMs >= this.#staleMs) return 'stale';
    return lagMs >= this.#laggingMs ? 'lagging' : 'healthy';
  }

  /** A follower is no member any more. */
  forget(follower: number): void {
    this.#watched.delete(follower);
  }

  #stateAt(nowMs: number, { lagEntries, sinceMs }: Watched): 'healthy' | 'lagging' | 'stale' {
    return lagEntries === 0 ? 'healthy' : this.stateOf(nowMs - sinceMs);
  }

  #watchedOf(nowMs: number, origin: number, follower: number): Watched {
    let origins = this.#watched.get(follower);
    if (origins === undefined) {
      origins = new Map();
      this.#watched.set(follower, origins);
    }
    let watched = origins.get(origin);
    if (watched === undefined) {
      watched = { heldEntries: 0, lagEntries: 0, sinceMs: nowMs, targetEntries: 1, progressMs: -1, told: 'none' };
      origins.set(origin, watched);
    }
    return watched;
  }
}

/** Being behind is told once a level, and its end only where nothing is lacking: not at every step on the way. */
function newsOf(watched: Watched, origin: number, follower: number, state: 'healthy' | 'lagging' | 'stale'): LagNews[] {
  const { lagEntries, told } = watched;
  if (lagEntries === 0) {
    watched.told = 'none';
    return told === 'none' ? [] : [{ type: 'caughtUp', origin, follower }];
  }
  const isNews = (state === 'lagging' && told === 'none') || (state === 'stale' && told !== 'stale');
  if (!isNews) return [];
  watched.told = state;
  return [{ type: 'behind', origin, follower, state, lagEntries }];
}
