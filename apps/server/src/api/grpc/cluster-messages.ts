/** What a node says of itself and its cluster, as messages of the Cluster service. */
import type * as wire from '@shanghai/proto';
import type { ConsensusStatus, GroupStatus, StorageStatus, WalStatus } from '../../node.js';
import type { KnownNode } from '../known-nodes.js';
import { replicaStateName } from '../replica-state.js';

/** A node of the node table. */
export function nodeMessage(node: KnownNode): wire.NodeDescription {
  const { name, instanceId, grpcAddress, httpAddress, peerAddress, state } = node;
  return {
    nodeId: BigInt(node.nodeId),
    name,
    instanceId,
    grpcAddress,
    httpAddress,
    peerAddress,
    state,
    version: node.versions?.program ?? '',
    lowestClusterVersion: node.versions?.lowest ?? 0,
    highestClusterVersion: node.versions?.highest ?? 0,
    membership: node.membership,
    replacedBy: node.replacedBy === undefined ? undefined : BigInt(node.replacedBy),
  };
}

/** One group on this node. */
export function groupMessage(group: GroupStatus): wire.GroupStatus {
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
    ...consensusFields(group.consensus),
  };
}

function consensusFields(consensus: ConsensusStatus | undefined) {
  const heard = consensus?.leaderHeardMsAgo;
  return {
    isLearner: consensus?.isLearner ?? false,
    isAsleep: consensus?.isAsleep ?? false,
    logBytes: BigInt(consensus?.logBytes ?? 0),
    state: consensus?.state ?? '',
    leaderHeardMsAgo: heard === undefined ? undefined : BigInt(Math.max(0, Math.trunc(heard))),
    replicas: (consensus?.replicas ?? []).map((replica) => ({
      nodeId: BigInt(replica.nodeId),
      matchIndex: BigInt(replica.matchIndex),
      state: replicaStateName(replica.state),
      isLearner: replica.isLearner,
      isActive: replica.isActive,
      snapshotSent: replica.snapshotSent,
    })),
    configuration: configurationMessage(consensus),
    proposalsInFlight: BigInt(consensus?.proposalsInFlight ?? 0),
  };
}

function configurationMessage(consensus: ConsensusStatus | undefined): wire.GroupConfiguration | undefined {
  if (consensus === undefined) return undefined;
  const { voters, votersOutgoing, learners, learnersNext } = consensus.configuration;
  return {
    voters: voters.map(BigInt),
    votersOutgoing: votersOutgoing.map(BigInt),
    learners: learners.map(BigInt),
    learnersNext: learnersNext.map(BigInt),
  };
}

/** The stores below the groups. */
export function storageMessage(storage: StorageStatus): wire.StorageStatus {
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

/** The write-ahead log. */
export function walMessage(wal: WalStatus): wire.LogStoreStatus {
  return {
    firstLsn: BigInt(wal.firstLsn),
    lastLsn: BigInt(wal.lastLsn),
    durableLsn: BigInt(wal.durableLsn),
    segments: BigInt(wal.segments),
    bytes: BigInt(wal.bytes),
    durability: wal.durability,
    lastSyncMs: wal.lastSyncMs,
    syncs: BigInt(wal.syncs),
    diskStalls: BigInt(wal.diskStalls ?? 0),
    waitingMs: wal.waitingMs ?? 0,
  };
}
