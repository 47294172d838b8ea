import type { ClusterServer, GetStatusResponse } from '@shanghai/proto';
import type { ClusterView } from '../../health/core/cluster-view.js';
import type { TimedCheck } from '../../health/health-view.js';
import type { NodeStatus } from '../../node.js';
import type { ApiServices, ListenAddresses } from '../api-services.js';
import { knownNodes, thisNode } from '../known-nodes.js';
import { groupMessage, nodeMessage, storageMessage, walMessage } from './cluster-messages.js';
import { gossipCalls } from './gossip-calls.js';
import { checkMessage, clockMessage, reasonMessage, stateNumbers } from './health-messages.js';
import { memberCalls, settingsMessage } from './member-calls.js';
import { unaryCall } from './unary-call.js';

/** The Cluster service. */
export function clusterService(services: ApiServices): ClusterServer {
  const { node, health } = services;
  return {
    getStatus: unaryCall(services, 'Cluster/GetStatus', async () => {
      const status = node.status();
      const seen = { view: health.cluster(status), checks: health.checks() };
      return statusResponse(status, services.addresses(), seen, services);
    }),
    listNodes: unaryCall(services, 'Cluster/ListNodes', async () => {
      const status = node.status();
      const nodes = knownNodes(status, services.addresses(), health.cluster(status).nodes);
      return { nodes: nodes.map(nodeMessage), ...settingsMessage(node) };
    }),
    ...memberCalls(services),
    ...gossipCalls(services),
  };
}

/** What GetStatus answers. `addresses` are this node's listeners. */
export function statusResponse(
  status: NodeStatus,
  addresses: ListenAddresses,
  { view, checks }: { readonly view: ClusterView; readonly checks: readonly TimedCheck[] },
  { version, nowMs }: Pick<ApiServices, 'version' | 'nowMs'>,
): GetStatusResponse {
  return {
    version,
    clusterId: status.clusterId,
    node: nodeMessage(thisNode(status, addresses)),
    state: stateNumbers[view.state],
    uptimeMs: BigInt(Math.max(0, Math.trunc(nowMs() - status.startedAtMs))),
    groups: status.groups.map(groupMessage),
    storage: storageMessage(status.storage),
    wal: walMessage(status.wal),
    reasons: view.reasons.map(reasonMessage),
    checks: checks.map(checkMessage),
    clusterVersion: status.clusterVersion ?? 0,
    clusterVersionName: status.clusterVersionName ?? '',
    clock: clockMessage(status),
  };
}
