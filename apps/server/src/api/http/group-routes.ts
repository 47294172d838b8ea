/** `/api/v1/groups` and `/api/v1/replicas`: consensus over all nodes, as far as they answered this one lately. */
import {
  type AgedCopy,
  type GroupRow,
  groupRows,
  type ReplicaRow,
  replicaRows,
} from '../../health/core/replica-rows.js';
import { ownGroup } from '../../health/core/seen-group.js';
import type { ApiServices } from '../api-services.js';
import { replicaStateName } from '../replica-state.js';
import { type HttpRoute, httpRoute } from './http-route.js';
import { followerFields, followerParameters } from './replication-routes.js';

function copiesKnownTo({ node, health }: ApiServices): readonly AgedCopy[] {
  const { nodeId, groups } = node.status();
  const own = groups.map((group) => ({ nodeId, ageMs: 0, group: ownGroup(group, replicaStateName) }));
  const theirs = health
    .reports()
    .flatMap((report) => report.groups.map((group) => ({ nodeId: report.nodeId, ageMs: report.ageMs, group })));
  return [...own, ...theirs];
}

function groupFields(row: GroupRow): Record<string, unknown> {
  return {
    id: row.groupId,
    state: row.state,
    leader: row.leaderNodeId,
    term: row.term,
    commit_index: row.commitIndex,
    voters: row.voters,
    voters_outgoing: row.votersOutgoing,
    learners: row.learners,
  };
}

function replicaFields({ groupId, nodeId, copy, asMember, lagEntries, ageMs }: ReplicaRow): Record<string, unknown> {
  return {
    group_id: groupId,
    node_id: nodeId,
    role: copy?.role ?? null,
    state: copy?.state ?? null,
    term: copy?.term ?? null,
    first_index: copy?.firstIndex ?? null,
    last_index: copy?.lastIndex ?? null,
    applied_index: copy?.appliedIndex ?? null,
    durable_applied_index: copy?.durableAppliedIndex ?? null,
    lag_entries: lagEntries ?? null,
    leader_heard_ms_ago: copy?.leaderHeardMsAgo ?? null,
    match_index: asMember?.matchIndex ?? null,
    progress: asMember?.state ?? null,
    is_active: asMember?.isActive ?? null,
    snapshot_sent: asMember?.snapshotSent ?? null,
    age_ms: copy === undefined ? null : Math.round(ageMs),
  };
}

/** Routes about groups. */
export const groupRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'GET',
    path: '/api/v1/groups',
    summary: 'The consensus groups: who leads, who belongs to them.',
    parameters: {},
    answers: { 200: 'The groups.' },
    allOrigins: false,
    handle: async (_request, _context, services) => ({
      data: { groups: groupRows(copiesKnownTo(services)).map(groupFields) },
    }),
  }),
  httpRoute({
    method: 'GET',
    path: '/api/v1/replicas',
    summary:
      "Every node's copy of every group: role, progress, lag; and what each follower lacks of each origin's logs, alone where a log or an origin is named.",
    parameters: followerParameters,
    answers: { 200: 'The replicas.' },
    allOrigins: false,
    async handle({ query }, _context, services) {
      const isOfGroups = query.log === undefined && query.origin === undefined;
      const followers = services.node.replication?.status(query)?.followers ?? [];
      return {
        data: {
          replicas: isOfGroups ? replicaRows(copiesKnownTo(services)).map(replicaFields) : [],
          followers: followers.map(followerFields),
        },
      };
    },
  }),
];
