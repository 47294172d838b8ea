import type * as wire from '@shanghai/proto';
import type { NodeReport } from './core/cluster-sight.js';
import type { SeenGroup } from './core/seen-group.js';

/** What a node answered, in the terms of this one. */
export function reportOf(response: wire.GetHealthResponse): Omit<NodeReport, 'ageMs'> {
  return {
    nodeId: Number(response.nodeId),
    instanceId: response.instanceId,
    groups: response.groups.map(seenGroup),
    checks: response.checks.map(({ name, ok, detail }) => ({ name, ok, detail })),
  };
}

function seenGroup(group: wire.GroupStatus): SeenGroup {
  const { configuration, leaderHeardMsAgo } = group;
  return {
    groupId: Number(group.groupId),
    role: group.role,
    leaderNodeId: Number(group.leaderNodeId),
    term: Number(group.term),
    firstIndex: Number(group.firstIndex),
    lastIndex: Number(group.lastIndex),
    commitIndex: Number(group.commitIndex),
    appliedIndex: Number(group.appliedIndex),
    durableAppliedIndex: Number(group.durableAppliedIndex),
    isLearner: group.isLearner,
    isAsleep: group.isAsleep,
    state: group.state || 'open',
    leaderHeardMsAgo: leaderHeardMsAgo === undefined ? undefined : Number(leaderHeardMsAgo),
    voters: (configuration?.voters ?? []).map(Number),
    votersOutgoing: (configuration?.votersOutgoing ?? []).map(Number),
    learners: (configuration?.learners ?? []).map(Number),
    members: group.replicas.map(({ nodeId, matchIndex, state, isLearner, isActive, snapshotSent }) => ({
      nodeId: Number(nodeId),
      matchIndex: Number(matchIndex),
      state,
      isLearner,
      isActive,
      snapshotSent,
    })),
  };
}
