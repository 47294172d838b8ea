/** What a node says of its health, as messages. */
import { type ClockStatus, ClusterState, type HealthCheck, type StateReason } from '@shanghai/proto';
import type { ClusterCondition, StateReason as Reason } from '../../health/core/cluster-sight.js';
import type { TimedCheck } from '../../health/health-view.js';
import type { NodeStatus } from '../../node.js';

/** The number of a state. */
export const stateNumbers: Readonly<Record<ClusterCondition, ClusterState>> = {
  healthy: ClusterState.CLUSTER_STATE_HEALTHY,
  degraded: ClusterState.CLUSTER_STATE_DEGRADED,
  unavailable: ClusterState.CLUSTER_STATE_UNAVAILABLE,
};

/** Why a state is what it is. */
export function reasonMessage({ state, groupId, nodeId, text }: Reason): StateReason {
  return {
    state: stateNumbers[state],
    groupId: groupId === undefined ? undefined : BigInt(groupId),
    nodeId: nodeId === undefined ? undefined : BigInt(nodeId),
    text,
  };
}

/** One condition of readiness. */
export function checkMessage({ name, ok, detail, sinceMs }: TimedCheck): HealthCheck {
  return { name, ok, detail, sinceMs: BigInt(Math.max(0, Math.trunc(sinceMs))) };
}

/** A node's clock against those of its peers. */
export function clockMessage({ clockOffsetMs, clockAlarm, clockPeersHeard }: NodeStatus): ClockStatus {
  return { offsetMs: clockOffsetMs, alarm: clockAlarm ?? false, peersHeard: clockPeersHeard ?? 0 };
}
