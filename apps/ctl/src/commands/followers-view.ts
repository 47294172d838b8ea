/** Multi-master logs, origin by follower: rows of one node's sight, or of all nodes' put together. */
import type { Flags } from '../command-host.js';
import type { ReplicationFilter, ReplicationFollower, ReplicationReport } from '../connection.js';
import { optionalInteger, text } from '../flag-values.js';
import type { Column } from '../output/printer.js';
import { formatBytes, formatDuration } from '../output/quantities.js';

/** How a follower stands to an origin, and which node says so. */
export interface FollowerRow extends ReplicationFollower {
  readonly seenBy: number;
}

/** `--log` and `--origin`; `undefined` where neither was given. */
export function followerFilter(flags: Flags): ReplicationFilter | undefined {
  const log = text(flags, 'log');
  const origin = optionalInteger(flags, 'origin', 1);
  if (log === undefined && origin === undefined) return undefined;
  return { ...(log === undefined ? {} : { log }), ...(origin === undefined ? {} : { origin }) };
}

/**
 * One row for each origin and follower. Who ships to a follower knows best how it is; where nobody does, the origin itself
 * says what it lacks, and else whoever answered first.
 */
export function followerRows(reports: readonly ReplicationReport[]): FollowerRow[] {
  const best = new Map<string, FollowerRow>();
  for (const { nodeId, followers } of reports) {
    for (const one of followers) {
      const row = { ...one, seenBy: nodeId };
      const key = `${one.origin}/${one.follower}`;
      const known = best.get(key);
      if (known === undefined || authority(row) > authority(known)) best.set(key, row);
    }
  }
  return [...best.values()].sort((a, b) => a.origin - b.origin || a.follower - b.follower);
}

function authority({ isShipping, seenBy, origin }: FollowerRow): number {
  return (isShipping ? 2 : 0) + (seenBy === origin ? 1 : 0);
}

/** For people. `withPositions`: of one log. */
export function followerColumns(withPositions: boolean): Column<FollowerRow>[] {
  return [
    { title: 'ORIGIN', text: (row) => String(row.origin), align: 'right' },
    { title: 'FOLLOWER', text: (row) => String(row.follower), align: 'right' },
    { title: 'STATE', text: (row) => row.state },
    { title: 'HELD', text: (row) => String(row.heldEntries), align: 'right' },
    { title: 'LAG', text: (row) => String(row.lagEntries), align: 'right' },
    { title: 'FOR', text: (row) => (row.lagMs === 0 ? '-' : formatDuration(row.lagMs)) },
    { title: 'PROGRESS', text: progressText },
    { title: 'CREDIT', text: creditText },
    { title: 'FROM', text: (row) => (row.isShipping ? `node ${row.seenBy}` : '-') },
    ...(withPositions ? [{ title: 'EPOCH:POSITION', text: positionsText }] : []),
    { title: 'REASON', text: (row) => row.reason },
  ];
}

function progressText({ sinceProgressMs }: FollowerRow): string {
  return sinceProgressMs === undefined ? 'never' : `${formatDuration(sinceProgressMs)} ago`;
}

function creditText({ creditEntries, creditBytes }: FollowerRow): string {
  if (creditEntries === undefined || creditBytes === undefined) return '-';
  return `${creditEntries}, ${formatBytes(creditBytes)}`;
}

function positionsText({ positions }: FollowerRow): string {
  return positions.map(({ epoch, heldSequence, sequence }) => `${epoch}:${heldSequence}/${sequence}`).join(' ') || '-';
}
