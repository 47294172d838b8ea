import { VersionVector } from '../core/version-vector.js';
import type { FollowerLink } from './follower-link.js';
import type { LagWatch } from './lag-watch.js';
import type { FollowerState, FollowerStatus, ReplicatorStatus } from './replication-status.js';
import type { SourceLink } from './source-link.js';

/** What a replicator knows. */
export interface StatusSubject {
  readonly nodeId: number;
  readonly nowMs: number;
  readonly members: ReadonlySet<number>;
  readonly held: VersionVector;
  readonly told: ReadonlyMap<number, VersionVector>;
  readonly lags: LagWatch;
  readonly shipping: ReadonlyMap<number, SourceLink>;
  readonly fetching: ReadonlyMap<number, FollowerLink>;
  readonly isPaused: (follower: number) => boolean;
}

const nothing = new VersionVector();

/** Puts it together. */
export function statusOf(subject: StatusSubject): ReplicatorStatus {
  const { nodeId, members, held, shipping, fetching } = subject;
  const others = [...members].filter((member) => member !== nodeId).sort((a, b) => a - b);
  const origins = [...held.origins()].sort((a, b) => a - b);
  const followers: FollowerStatus[] = [];
  for (const origin of origins) {
    for (const follower of others) if (follower !== origin) followers.push(followerStatus(subject, origin, follower));
  }
  return {
    nodeId,
    followers,
    shipping: [...shipping.values()].map((link) => link.status()),
    fetching: [...fetching.values()].map((link) => link.status()),
    unreachable: others.filter((peer) => !fetching.has(peer)),
  };
}

function followerStatus(subject: StatusSubject, origin: number, follower: number): FollowerStatus {
  const { nowMs, lags, shipping } = subject;
  const told = subject.told.get(follower) ?? nothing;
  const { lagEntries, lagMs, sinceProgressMs } = lags.lagOf(nowMs, origin, follower, told);
  const link = shipping.get(follower);
  const [state, reason] = stateOf(subject, follower, lagEntries, lagMs);
  return {
    origin,
    follower,
    state,
    reason,
    heldEntries: told.sumOf(origin),
    lagEntries,
    lagMs,
    sinceProgressMs,
    isShipping: link?.wants(origin) ?? false,
  };
}

function stateOf(
  { lags, shipping, isPaused }: StatusSubject,
  follower: number,
  lagEntries: number,
  lagMs: number,
): [FollowerState, string] {
  const link = shipping.get(follower);
  if (link === undefined) return ['disconnected', `node ${follower} has no session with this one`];
  if (isPaused(follower)) return ['paused', 'shipping was paused by a call'];
  const lacks = `it has lacked ${lagEntries} entries or more for ${Math.round(lagMs)} ms`;
  if (lagEntries > 0 && link.isBlocked) return ['waiting for credit', `${lacks}, and takes no more now`];
  const state = lags.stateOf(lagMs);
  return [state, state === 'healthy' ? '' : lacks];
}
