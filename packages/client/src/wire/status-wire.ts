import { invariant } from '@shanghai/env';
import {
  type ClockStatus as ClockStatusMessage,
  ClusterState as ClusterStateMessage,
  type GetStatusResponse,
  type GroupConfiguration as GroupConfigurationMessage,
  type GroupStatus as GroupStatusMessage,
  type HealthCheck as HealthCheckMessage,
  type NodeDescription as NodeDescriptionMessage,
  type ReplicaStatus as ReplicaStatusMessage,
  type StateReason as StateReasonMessage,
} from '@shanghai/proto';
import type {
  ClockStatus,
  ClusterState,
  GroupConfiguration,
  GroupStatus,
  HealthCheck,
  NodeDescription,
  NodeStatus,
  ReplicaStatus,
  StateReason,
} from '../node-administration.js';
import { toNumber } from './wire-values.js';

/** What a node says of itself. */
export function statusOf(response: GetStatusResponse): NodeStatus {
  const { node, storage, wal } = response;
  invariant(node !== undefined && storage !== undefined && wal !== undefined, 'the server answered half a status');
  return {
    version: response.version,
    clusterId: response.clusterId,
    node: nodeOf(node),
    state: stateOf(response.state),
    uptimeMs: toNumber(response.uptimeMs),
    groups: response.groups.map(groupOf),
    storage: {
      keys: toNumber(storage.keys),
      segments: toNumber(storage.segments),
      liveBytes: toNumber(storage.liveBytes),
      deadBytes: toNumber(storage.deadBytes),
      keyDirectoryBytes: toNumber(storage.keyDirectoryBytes),
      cacheEntries: toNumber(storage.cacheEntries),
      cacheHits: toNumber(storage.cacheHits),
      cacheMisses: toNumber(storage.cacheMisses),
      durability: storage.durability,
      mergeState: storage.mergeState,
      lastCheckpointMs: toNumber(storage.lastCheckpointMs),
    },
    wal: {
      firstLsn: toNumber(wal.firstLsn),
      lastLsn: toNumber(wal.lastLsn),
      durableLsn: toNumber(wal.durableLsn),
      segments: toNumber(wal.segments),
      bytes: toNumber(wal.bytes),
      durability: wal.durability,
      lastSyncMs: wal.lastSyncMs,
      syncs: toNumber(wal.syncs),
      diskStalls: toNumber(wal.diskStalls),
      waitingMs: wal.waitingMs,
    },
    reasons: response.reasons.map(reasonOf),
    checks: response.checks.map(checkOf),
    clusterVersion: response.clusterVersion,
    clusterVersionName: response.clusterVersionName,
    clock: clockOf(response.clock),
  };
}

/** A node's clock. */
export function clockOf(clock: ClockStatusMessage | undefined): ClockStatus {
  return { offsetMs: clock?.offsetMs, alarm: clock?.alarm ?? false, peersHeard: clock?.peersHeard ?? 0 };
}

/** One node. */
export function nodeOf(node: NodeDescriptionMessage): NodeDescription {
  const { replacedBy, ...rest } = node;
  return {
    ...rest,
    nodeId: toNumber(node.nodeId),
    ...(replacedBy === undefined ? {} : { replacedBy: toNumber(replacedBy) }),
  };
}

/** Why a state is what it is. */
export function reasonOf({ state, groupId, nodeId, text }: StateReasonMessage): StateReason {
  return {
    state: stateOf(state),
    ...(groupId === undefined ? {} : { groupId: toNumber(groupId) }),
    ...(nodeId === undefined ? {} : { nodeId: toNumber(nodeId) }),
    text,
  };
}

/** One condition. */
export function checkOf({ name, ok, detail, sinceMs }: HealthCheckMessage): HealthCheck {
  return { name, ok, detail, sinceMs: toNumber(sinceMs) };
}

/** A group as a node sees it. */
export function groupOf(group: GroupStatusMessage): GroupStatus {
  return {
    groupId: toNumber(group.groupId),
    role: group.role,
    leaderNodeId: toNumber(group.leaderNodeId),
    term: toNumber(group.term),
    commitIndex: toNumber(group.commitIndex),
    appliedIndex: toNumber(group.appliedIndex),
    durableAppliedIndex: toNumber(group.durableAppliedIndex),
    firstIndex: toNumber(group.firstIndex),
    lastIndex: toNumber(group.lastIndex),
    revision: toNumber(group.revision),
    logTimeMs: toNumber(group.logTimeMs),
    sessions: toNumber(group.sessions),
    slots: group.slots,
    isLearner: group.isLearner,
    isAsleep: group.isAsleep,
    logBytes: toNumber(group.logBytes),
    state: group.state,
    leaderHeardMsAgo: group.leaderHeardMsAgo === undefined ? undefined : toNumber(group.leaderHeardMsAgo),
    replicas: group.replicas.map(replicaOf),
    configuration: configurationOf(group.configuration),
    proposalsInFlight: toNumber(group.proposalsInFlight),
  };
}

function replicaOf(replica: ReplicaStatusMessage): ReplicaStatus {
  const { nodeId, matchIndex, state, isLearner, isActive, snapshotSent } = replica;
  return { nodeId: toNumber(nodeId), matchIndex: toNumber(matchIndex), state, isLearner, isActive, snapshotSent };
}

function configurationOf(message: GroupConfigurationMessage | undefined): GroupConfiguration {
  return {
    voters: (message?.voters ?? []).map(toNumber),
    votersOutgoing: (message?.votersOutgoing ?? []).map(toNumber),
    learners: (message?.learners ?? []).map(toNumber),
    learnersNext: (message?.learnersNext ?? []).map(toNumber),
  };
}

/** The state of a cluster. */
export function stateOf(state: ClusterStateMessage): ClusterState {
  switch (state) {
    case ClusterStateMessage.CLUSTER_STATE_HEALTHY:
      return 'healthy';
    case ClusterStateMessage.CLUSTER_STATE_DEGRADED:
      return 'degraded';
    case ClusterStateMessage.CLUSTER_STATE_UNAVAILABLE:
      return 'unavailable';
    case ClusterStateMessage.CLUSTER_STATE_UNSPECIFIED:
      return 'unknown';
  }
}
