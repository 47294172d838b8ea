import type { Lag } from '../core/lag-monitor.js';
import { VersionVector } from '../core/version-vector.js';
import type { FollowerLink } from './follower-link.js';
import type { LagWatch } from './lag-watch.js';
import type {
  FollowerPosition,
  FollowerState,
  FollowerStatus,
  ReplicatorStatus,
  StatusFilter,
} from './replication-status.js';
import type { SourceLink } from './source-link.js';

/** What a replicator knows. */
export interface StatusSubject {
  readonly nodeId: number;
  readonly filter: StatusFilter;
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
  const { nodeId, filter, members, held, shipping, fetching } = subject;
  const others = [...members].filter((member) => member !== nodeId).sort((a, b) => a - b);
  const origins = [...held.origins()].filter((one) => filter.origin === undefined || one === filter.origin);
  const followers: FollowerStatus[] = [];
  for (const origin of origins.sort((a, b) => a - b)) {
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
  const { nowMs, lags, shipping, filter } = subject;
  const told = subject.told.get(follower) ?? nothing;
  const lag = lags.lagOf(nowMs, origin, { follower, told }, filter.logId);
  const link = shipping.get(follower);
  const [state, reason] = stateOf(subject, origin, follower, lag);
  return {
    origin,
    follower,
    state,
    reason,
    heldEntries: told.sumOf(origin, filter.logId),
    ...lag,
    isShipping: link?.wants(origin) ?? false,
    credit: link?.credit,
    positions: filter.logId === undefined ? [] : positionsOf(subject.held, told, origin, filter.logId),
  };
}

function positionsOf(held: VersionVector, told: VersionVector, origin: number, logId: number): FollowerPosition[] {
  const positions: FollowerPosition[] = [];
  for (const { stream, lastSequence } of held.ofOrigin(origin)) {
    if (stream.logId !== logId) continue;
    positions.push({
      epoch: stream.epoch,
      heldSequence: told.get(stream)?.lastSequence ?? 0,
      sequence: lastSequence,
    });
  }
  return positions.sort((a, b) => a.epoch - b.epoch);
}

function stateOf(
  { lags, shipping, isPaused }: StatusSubject,
  origin: number,
  follower: number,
  { lagEntries, lagMs }: Lag,
): [FollowerState, string] {
  const link = shipping.get(follower);
  if (link === undefined) return ['disconnected', `node ${follower} has no session with this one`];
  if (isPaused(follower)) return ['paused', 'shipping was paused by a call'];
  const lacks = `it has lacked something for ${Math.round(lagMs)} ms`;
  if (lagEntries > 0 && link.isBlocked) return ['waiting for credit', `${lacks}, and takes no more now`];
  const state = lags.stateOf(lagMs);
  return [state, state === 'healthy' ? '' : `${lacks}${whyItLacks(link, origin)}`];
}

/** What is known of it where the follower has credit. */
function whyItLacks(link: SourceLink, origin: number): string {
  if (!link.wants(origin)) return '; it fetches this origin from another node';
  const unreadable = link.unreadable(origin);
  return unreadable === 0 ? '' : `; streams that cannot be read here: ${unreadable}`;
}
