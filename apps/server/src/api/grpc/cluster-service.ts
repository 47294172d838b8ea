import { type ClusterServer, ClusterState, type GetStatusResponse } from '@shanghai/proto';
import type { NodeStatus } from '../../node.js';
import type { ApiServices, ListenAddresses } from '../api-services.js';
import { type ClusterCondition, clusterCondition } from '../cluster-condition.js';
import { knownNodes, thisNode } from '../known-nodes.js';
import { groupMessage, nodeMessage, storageMessage, walMessage } from './cluster-messages.js';
import { memberCalls, settingsMessage } from './member-calls.js';
import { unaryCall } from './unary-call.js';

const stateNumbers: Readonly<Record<ClusterCondition, ClusterState>> = {
  healthy: ClusterState.CLUSTER_STATE_HEALTHY,
  degraded: ClusterState.CLUSTER_STATE_DEGRADED,
  unavailable: ClusterState.CLUSTER_STATE_UNAVAILABLE,
};

/** The Cluster service. */
export function clusterService(services: ApiServices): ClusterServer {
  return {
    getStatus: unaryCall(services, 'Cluster/GetStatus', async () =>
      statusResponse(services.node.status(), services.addresses(), services),
    ),
    listNodes: unaryCall(services, 'Cluster/ListNodes', async () => ({
      nodes: knownNodes(services.node.status(), services.addresses()).map(nodeMessage),
      ...settingsMessage(services.node),
    })),
    ...memberCalls(services),
  };
}

/** What GetStatus answers. `addresses` are this node's listeners. */
export function statusResponse(
  status: NodeStatus,
  addresses: ListenAddresses,
  { version, nowMs }: Pick<ApiServices, 'version' | 'nowMs'>,
): GetStatusResponse {
  return {
    version,
    clusterId: status.clusterId,
    node: nodeMessage(thisNode(status, addresses)),
    state: stateNumbers[clusterCondition(status)],
    uptimeMs: BigInt(Math.max(0, Math.trunc(nowMs() - status.startedAtMs))),
    groups: status.groups.map(groupMessage),
    storage: storageMessage(status.storage),
    wal: walMessage(status.wal),
    reasons: [],
    checks: [],
    clusterVersion: status.clusterVersion ?? 0,
    clusterVersionName: status.clusterVersionName ?? '',
    clock: {
      offsetMs: status.clockOffsetMs,
      alarm: status.clockAlarm ?? false,
      peersHeard: status.clockPeersHeard ?? 0,
    },
  };
}
