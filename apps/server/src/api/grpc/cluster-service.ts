import { type ClusterServer, ClusterState, type NodeDescription } from '@shanghai/proto';
import type { GroupStatus, NodeStatus, StorageStatus, WalStatus } from '../../node.js';
import type { ApiServices } from '../api-services.js';
import { type ClusterCondition, clusterCondition } from '../cluster-condition.js';
import { unaryCall } from './unary-call.js';

const stateNumbers: Readonly<Record<ClusterCondition, ClusterState>> = {
  healthy: ClusterState.CLUSTER_STATE_HEALTHY,
  degraded: ClusterState.CLUSTER_STATE_DEGRADED,
  unavailable: ClusterState.CLUSTER_STATE_UNAVAILABLE,
};

/** The Cluster service. */
export function clusterService(services: ApiServices): ClusterServer {
  return {
    getStatus: unaryCall(services, 'Cluster/GetStatus', async () => {
      const status = services.node.status();
      return {
        version: services.version,
        clusterId: status.clusterId,
        node: nodeMessage(status, services),
        state: stateNumbers[clusterCondition(status)],
        uptimeMs: BigInt(Math.max(0, Math.trunc(services.nowMs() - status.startedAtMs))),
        groups: status.groups.map(groupMessage),
        storage: storageMessage(status.storage),
        wal: walMessage(status.wal),
      };
    }),
    listNodes: unaryCall(services, 'Cluster/ListNodes', async () => ({
      nodes: [nodeMessage(services.node.status(), services)],
    })),
  };
}

function nodeMessage(status: NodeStatus, services: ApiServices): NodeDescription {
  const { grpc, http, peer } = services.addresses();
  return {
    nodeId: BigInt(status.nodeId),
    name: status.nodeName,
    instanceId: status.instanceId,
    grpcAddress: grpc,
    httpAddress: http,
    peerAddress: peer,
    state: 'up',
  };
}

function groupMessage(group: GroupStatus) {
  return {
    groupId: BigInt(group.groupId),
    role: group.role,
    leaderNodeId: BigInt(group.leaderNodeId),
    term: BigInt(group.term),
    commitIndex: BigInt(group.commitIndex),
    appliedIndex: BigInt(group.appliedIndex),
    durableAppliedIndex: BigInt(group.durableAppliedIndex),
    firstIndex: BigInt(group.firstIndex),
    lastIndex: BigInt(group.lastIndex),
    revision: BigInt(group.revision),
    logTimeMs: BigInt(Math.trunc(group.logTimeMs)),
    sessions: BigInt(group.sessions),
    slots: group.slots,
  };
}

function storageMessage(storage: StorageStatus) {
  return {
    keys: BigInt(storage.keys),
    segments: BigInt(storage.segments),
    liveBytes: BigInt(storage.liveBytes),
    deadBytes: BigInt(storage.deadBytes),
    keyDirectoryBytes: BigInt(storage.keyDirectoryBytes),
    cacheEntries: BigInt(storage.cacheEntries),
    cacheHits: BigInt(storage.cacheHits),
    cacheMisses: BigInt(storage.cacheMisses),
    durability: storage.durability,
    mergeState: storage.mergeState,
    lastCheckpointMs: BigInt(Math.trunc(storage.lastCheckpointMs)),
  };
}

function walMessage(wal: WalStatus) {
  return {
    firstLsn: BigInt(wal.firstLsn),
    lastLsn: BigInt(wal.lastLsn),
    durableLsn: BigInt(wal.durableLsn),
    segments: BigInt(wal.segments),
    bytes: BigInt(wal.bytes),
    durability: wal.durability,
    lastSyncMs: wal.lastSyncMs,
    syncs: BigInt(wal.syncs),
  };
}
