import type { CallOptions } from './key-value-store.js';
import type { NodeBackup } from './node-backup.js';

/** What the node says of itself and its cluster. */
export interface NodeStatus {
  readonly version: string;
  readonly clusterId: string;
  readonly node: NodeDescription;
  readonly state: ClusterState;
  readonly uptimeMs: number;
  readonly groups: readonly GroupStatus[];
  readonly storage: StorageStatus;
  readonly wal: WalStatus;
  /** Why the state is what it is, the worst first; empty where it is healthy. */
  readonly reasons: readonly StateReason[];
  /** Conditions under which the node takes requests. */
  readonly checks: readonly HealthCheck[];
  /** The version in which all nodes work together, and the program of which it is the version; 0 and '': not known. */
  readonly clusterVersion: number;
  readonly clusterVersionName: string;
  readonly clock: ClockStatus;
}

/** Something that keeps the cluster from being healthy. */
export interface StateReason {
  /** What the cluster is because of it. */
  readonly state: ClusterState;
  /** Of one group, of one node; absent: of none in particular. */
  readonly groupId?: number;
  readonly nodeId?: number;
  readonly text: string;
}

/** One named condition under which a node takes requests. */
export interface HealthCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** Since when it has been so, milliseconds since 1970 by the node's clock; 0: not known. */
  readonly sinceMs: number;
}

/** A node's wall clock against those of its peers. */
export interface ClockStatus {
  /** Milliseconds by which it is ahead of most of them; negative: behind; `undefined`: too few were heard. */
  readonly offsetMs: number | undefined;
  /** It is off by more than 10 s: what the node proposes is not stamped with it. */
  readonly alarm: boolean;
  /** Peers whose clocks are known. */
  readonly peersHeard: number;
}

/** `healthy`: all nodes up. `degraded`: some are not, every group has a majority. `unavailable`: some group has none. */
export type ClusterState = 'unknown' | 'healthy' | 'degraded' | 'unavailable';

/** One node. */
export interface NodeDescription {
  readonly nodeId: number;
  readonly name: string;
  readonly instanceId: string;
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly peerAddress: string;
  readonly state: string;
  /** `joining` (some group has not taken it in yet), `member` or `leaving`. Empty from a server that does not say. */
  readonly membership: string;
  /** While it leaves: the node that takes its place, 0 = whichever joins. */
  readonly replacedBy?: number;
  /** The program it runs; '': it has not said. */
  readonly version: string;
  /** The cluster versions which that supports; 0: it has not said. */
  readonly lowestClusterVersion: number;
  readonly highestClusterVersion: number;
}

/** One consensus group as the node sees it. */
export interface GroupStatus {
  readonly groupId: number;
  readonly role: string;
  readonly leaderNodeId: number;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly durableAppliedIndex: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly revision: number;
  readonly logTimeMs: number;
  readonly sessions: number;
  readonly slots: number;
  /** It gets the log and does not count. */
  readonly isLearner: boolean;
  /** Nothing is to be done: nobody ticks or sends. */
  readonly isAsleep: boolean;
  readonly logBytes: number;
  /** `open`, `full` (no space on the disk), `stalled` (the disk does not answer), `restoring`, `failed`, `closed`. */
  readonly state: string;
  /** Milliseconds since the leader was last heard, 0 where this node leads, `undefined`: never. */
  readonly leaderHeardMsAgo: number | undefined;
  /** The other members as their leader sees them; empty elsewhere. */
  readonly replicas: readonly ReplicaStatus[];
  /** While it changes there are two sets of voters, and both must agree. */
  readonly configuration: GroupConfiguration;
  readonly proposalsInFlight: number;
}

/** A member of a group as its leader sees it. */
export interface ReplicaStatus {
  readonly nodeId: number;
  /** The last entry known to be durable there. */
  readonly matchIndex: number;
  /** `probe`, `replicate` or `snapshot`. */
  readonly state: string;
  readonly isLearner: boolean;
  /** Heard of within the last election timeout. */
  readonly isActive: boolean;
  /** Share of a snapshot's bytes that were sent, where one is on its way. */
  readonly snapshotSent: number | undefined;
}

/** Who belongs to a group, by node id. */
export interface GroupConfiguration {
  readonly voters: readonly number[];
  /** Voters that leave. Empty unless the configuration is changing. */
  readonly votersOutgoing: readonly number[];
  readonly learners: readonly number[];
  /** Outgoing voters that become learners when the change is over. */
  readonly learnersNext: readonly number[];
}

/** The key-value stores of the node, added up. */
export interface StorageStatus {
  readonly keys: number;
  readonly segments: number;
  readonly liveBytes: number;
  readonly deadBytes: number;
  readonly keyDirectoryBytes: number;
  readonly cacheEntries: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly durability: string;
  readonly mergeState: string;
  readonly lastCheckpointMs: number;
}

/** The write-ahead log of the node. */
export interface WalStatus {
  readonly firstLsn: number;
  readonly lastLsn: number;
  readonly durableLsn: number;
  readonly segments: number;
  readonly bytes: number;
  readonly durability: string;
  readonly lastSyncMs: number;
  readonly syncs: number;
  /** How often the disk did not answer for longer than a leader may wait, since the start. */
  readonly diskStalls: number;
  /** How long the oldest write has been waiting for the disk; 0: none waits. */
  readonly waitingMs: number;
}

/** Shipping of multi-master logs, as one node sees it. */
export interface ReplicationReport {
  readonly nodeId: number;
  /** Without it nothing is shipped: there is no multi-master log, or no other node. */
  readonly isActive: boolean;
  readonly followers: readonly ReplicationFollower[];
  readonly shipping: readonly ReplicationShipping[];
  /** Members that this node does not reach. */
  readonly unreachable: readonly number[];
}

/** What a follower lacks of an origin's entries. */
export interface ReplicationFollower {
  readonly origin: number;
  readonly follower: number;
  /** `healthy`, `lagging`, `stale`, `waiting for credit`, `paused` or `disconnected`. */
  readonly state: string;
  /** In words, where it is not healthy. */
  readonly reason: string;
  readonly heldEntries: number;
  readonly lagEntries: number;
  /** For how long it has lacked something. */
  readonly lagMs: number;
  /** Since it last said that it holds more. Absent: it never has. */
  readonly sinceProgressMs?: number;
  readonly isShipping: boolean;
  /** What may still be sent to it, of all origins together, before it grants more. Absent: the node has no session with it. */
  readonly creditEntries?: number;
  readonly creditBytes?: number;
  /** How far it is with the log that was asked for, by epoch; empty where none was. */
  readonly positions: readonly ReplicationPosition[];
}

/** A stream of an origin on a follower. */
export interface ReplicationPosition {
  readonly epoch: number;
  /** The last sequence that the follower holds, and that the node holds. */
  readonly heldSequence: number;
  readonly sequence: number;
}

/** What is asked for of shipping. */
export interface ReplicationFilter {
  /** A multi-master log. Absent: all of them together. */
  readonly log?: string;
  readonly origin?: number;
}

/** A session in which the node ships. */
export interface ReplicationShipping {
  readonly follower: number;
  readonly creditEntries: number;
  readonly creditBytes: number;
  readonly windowEntries: number;
  readonly windowBytes: number;
  readonly isPaused: boolean;
  readonly sentEntries: number;
  readonly sentBytes: number;
  readonly blockedMs: number;
}

/** What a merge did. */
export interface MergeReport {
  readonly segmentsMerged: number;
  readonly recordsCopied: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** The state of a group on the node. */
export interface GroupChecksum {
  readonly groupId: number;
  /** The state is that of this entry. */
  readonly appliedIndex: number;
  /** SHA-256 in hexadecimal. */
  readonly checksum: string;
  /** Keys, sessions and the like; and records of named logs. */
  readonly entries: number;
  readonly logRecords: number;
}

/** What a diagnosis of the cluster asks of a node. */
export interface NodeDiagnostics {
  readonly nodeId: number;
  readonly clusterId: string;
  readonly instanceId: string;
  readonly version: string;
  readonly runtimeVersion: string;
  /** The node's clock while it answered, milliseconds since 1970. */
  readonly clockMs: number;
  readonly uptimeMs: number;
  readonly state: ClusterState;
  readonly reasons: readonly StateReason[];
  readonly checks: readonly HealthCheck[];
  /** The latest syncs of the write-ahead log, at most those of the last five minutes. */
  readonly walSync: LatencySummary;
  readonly fileSystem: FileSystemStatus;
  readonly process: ProcessLimits;
  readonly groups: readonly GroupStatus[];
  /** How often the disk did not answer for longer than a leader may wait, since the start. */
  readonly diskStalls: number;
  /** How long the oldest write has been waiting for the disk; 0: none waits. */
  readonly waitingMs: number;
  readonly durability: string;
  readonly clusterVersion: number;
  readonly clock: ClockStatus;
}

/** Durations that were measured lately, in milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Where a data directory lies. */
export interface FileSystemStatus {
  /** ext4, xfs, tmpfs, nfs …; empty: not known. */
  readonly type: string;
  readonly totalBytes: number;
  /** What an ordinary process may still use. */
  readonly availableBytes: number;
}

/** What a process uses of what it may use; 0: not known. */
export interface ProcessLimits {
  readonly openFiles: number;
  readonly maxOpenFiles: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly maxHeapBytes: number;
  readonly eventLoopP99Ms: number;
}

/** Operations on a node: the first of the endpoints that can be reached. To mean one node, name only that. */
export interface NodeAdministration {
  /** Stops it: requests in flight may take `drainMs` (default 10,000) more. Resolves when it has begun. */
  shutdown(options?: CallOptions & { readonly drainMs?: number }): Promise<void>;
  /** Its metrics in Prometheus text form. */
  metrics(options?: CallOptions): Promise<{ readonly contentType: string; readonly text: string }>;
  /** Makes everything applied durable and cuts the write-ahead log behind it. */
  checkpoint(
    options?: CallOptions,
  ): Promise<readonly { readonly groupId: number; readonly durableAppliedIndex: number }[]>;
  /** What each group replicates, summed up: copies at the same entry are the same where this is. Reads all of it. */
  checksums(options?: CallOptions): Promise<readonly GroupChecksum[]>;
  /** Its clock, its disk, its limits, its copies of groups. */
  diagnostics(options?: CallOptions): Promise<NodeDiagnostics>;
  /** How it ships multi-master logs; `followers` only of what is named. */
  replication(options?: CallOptions & ReplicationFilter): Promise<ReplicationReport>;
  /** Stops its shipping to a follower, or goes on with it; holds until the node is stopped. */
  pauseReplication(follower: number | 'all', options?: CallOptions & { readonly resume?: boolean }): Promise<void>;
  /** Merges dead records away; with `force` every sealed segment, whatever it would save. */
  merge(options?: CallOptions & { readonly force?: boolean }): Promise<MergeReport>;
  readonly backup: NodeBackup;
}
