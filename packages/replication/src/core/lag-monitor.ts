/**
 * How far followers are behind, per origin, and for how long. A follower that lacks nothing is idle; one that lacks
 * something of a stream must, since that began, have come to where this node was then, or it is that much behind in time. So
 * a follower that keeps a small distance under load is healthy, and one that stands still with one entry to go is not, be
 * it of one log among many that get on.
 */

/** A stream of which a follower lacks something. */
export interface Lacking {
  /** The stream, as `streamKey` says it. */
  readonly key: string;
  readonly logId: number;
  /** The last sequence that the follower holds, and how many entries behind it are held here. */
  readonly heldSequence: number;
  readonly lagEntries: number;
}

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
  /** By key, streams of which it lacks something. */
  streams: Map<string, WatchedStream>;
  progressMs: number;
  told: 'none' | 'lagging' | 'stale';
}

interface WatchedStream {
  readonly logId: number;
  readonly lagEntries: number;
  /** When it had come to the target that was set last. */
  readonly sinceMs: number;
  readonly targetSequence: number;
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

  /** A follower holds so many entries of an origin, and this is what it lacks. What is new about that. */
  observe(
    nowMs: number,
    origin: number,
    follower: number,
    heldEntries: number,
    lacking: readonly Lacking[],
  ): LagNews[] {
    const watched = this.#watchedOf(origin, follower);
    if (heldEntries !== watched.heldEntries) watched.progressMs = nowMs;
    watched.heldEntries = heldEntries;
    watched.streams = watchedStreams(nowMs, watched.streams, lacking);
    const { lagEntries, lagMs } = behind(nowMs, watched);
    return newsOf(watched, origin, follower, lagEntries, this.stateOf(lagMs));
  }

  /** Of all logs, or of one; `undefined` where it was never observed. */
  lagOf(nowMs: number, origin: number, follower: number, logId?: number): Lag | undefined {
    const watched = this.#watched.get(follower)?.get(origin);
    if (watched === undefined) return undefined;
    const { progressMs } = watched;
    return { ...behind(nowMs, watched, logId), sinceProgressMs: progressMs < 0 ? -1 : nowMs - progressMs };
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

  #watchedOf(origin: number, follower: number): Watched {
    let origins = this.#watched.get(follower);
    if (origins === undefined) {
      origins = new Map();
      this.#watched.set(follower, origins);
    }
    let watched = origins.get(origin);
    if (watched === undefined) {
      watched = { heldEntries: 0, streams: new Map(), progressMs: -1, told: 'none' };
      origins.set(origin, watched);
    }
    return watched;
  }
}

/** What was lacking before and still is has the moment at which that began, unless it has come to where this node was then. */
function watchedStreams(
  nowMs: number,
  before: ReadonlyMap<string, WatchedStream>,
  lacking: readonly Lacking[],
): Map<string, WatchedStream> {
  const streams = new Map<string, WatchedStream>();
  for (const { key, logId, heldSequence, lagEntries } of lacking) {
    const known = before.get(key);
    const isOnItsWay = known !== undefined && heldSequence < known.targetSequence;
    const { sinceMs, targetSequence } = isOnItsWay
      ? known
      : { sinceMs: nowMs, targetSequence: heldSequence + lagEntries };
    streams.set(key, { logId, lagEntries, sinceMs, targetSequence });
  }
  return streams;
}

/** All that is lacking, and for how long the oldest of it. */
function behind(nowMs: number, { streams }: Watched, logId?: number): Pick<Lag, 'lagEntries' | 'lagMs'> {
  let [lagEntries, lagMs] = [0, 0];
  for (const stream of streams.values()) {
    if (logId !== undefined && stream.logId !== logId) continue;
    lagEntries += stream.lagEntries;
    lagMs = Math.max(lagMs, nowMs - stream.sinceMs);
  }
  return { lagEntries, lagMs };
}

/** Being behind is told once a level, and its end only where nothing is lacking: not at every step on the way. */
function newsOf(
  watched: Watched,
  origin: number,
  follower: number,
  lagEntries: number,
  state: 'healthy' | 'lagging' | 'stale',
): LagNews[] {
  const { told } = watched;
  if (lagEntries === 0) {
    watched.told = 'none';
    return told === 'none' ? [] : [{ type: 'caughtUp', origin, follower }];
  }
  const isNews = (state === 'lagging' && told === 'none') || (state === 'stale' && told !== 'stale');
  if (!isNews) return [];
  watched.told = state;
  return [{ type: 'behind', origin, follower, state, lagEntries }];
}
