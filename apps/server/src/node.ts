import type { GroupStatus as RaftGroupStatus } from '@shanghai/raft';
import type { ReplicatorStatus } from '@shanghai/replication';
import type { CatalogueCommand, NodeEntry } from './apply/catalogue-command.js';
import type { BackupPart, GroupLogPage } from './backup/backup-parts.js';
import type { KeyspaceRequests } from './keyspaces/keyspace-requests.js';
import type { LogRequests } from './logs/log-requests.js';
import type { LogUpkeepRequests } from './logs/log-upkeep-requests.js';
import type { NodeMembers } from './members/node-members.js';
import type { NodeGossip } from './membership/node-gossip.js';
import type { StateChecksum } from './raft/state-checksum.js';
import type { KeyValueRequests } from './requests/key-value-requests.js';

/** What is asked for of the shipping of multi-master logs. */
export interface ReplicationFilter {
  /** The name of one. Absent: all of them together. */
  readonly log?: string;
  readonly origin?: number;
}

/** Shipping of multi-master logs, as a node sees it. */
export interface NodeReplication {
  /**
   * How it stands; `followers` only of what the filter names. `undefined`: nothing is shipped, because there is no such log,
   * or no other node. Throws `NOT_FOUND` for a log that is not there, and `INVALID_REQUEST` for one that a group orders.
   */
  status(filter?: ReplicationFilter): ReplicatorStatus | undefined;
  /**
   * How far behind the clock readers in the order of time are, of the log where that is most. `undefined`: there is none, this
   * node is alone, or a member was not heard since it started.
   */
  watermarkAgeMs(): number | undefined;
  /** Ships nothing to a follower, or to any, from now on, or goes on. */
  pause(follower: number | 'all', isPaused: boolean): Promise<void>;
}

/** A running node as the APIs see it. `openNode` (open-node.ts) makes one from its data directory. */
export interface ShanghaiNode {
  readonly keyValue: KeyValueRequests;
  /** What keyspaces there are, and what is peculiar to those that every node writes. Absent: the node has one alone. */
  readonly keyspaces?: KeyspaceRequests;
  readonly logs: LogRequests;
  /** Trims, producers and consumers of logs. Absent: the node has none. */
  readonly logUpkeep?: LogUpkeepRequests;
  /** Where the listener for other nodes is bound, `host:port`. `''` or absent: there is none. */
  readonly peerAddress?: string;
  /** Shipping of multi-master logs. Absent: the node has none. */
  readonly replication?: NodeReplication;
  /** Who belongs to the cluster, and how that is changed. Absent: the node has no cluster to change. */
  readonly members?: NodeMembers;
  /** Who is there and alive, by gossip. Absent: the node is alone. */
  readonly gossip?: NodeGossip;
  status(): NodeStatus;
  /** Named checks; the node is ready when all hold. Never waits. */
  readiness(): readonly ReadinessCheck[];
  /** Makes everything applied durable and cuts the log behind it. */
  checkpoint(): Promise<readonly { readonly groupId: number; readonly durableAppliedIndex: number }[]>;
  /** What each group replicates, summed up: copies at the same entry are the same where this is. Reads all of it. */
  checksums(): Promise<readonly GroupChecksum[]>;
  merge(
    force: boolean,
  ): Promise<{ segmentsMerged: number; recordsCopied: number; bytesBefore: number; bytesAfter: number }>;
  /**
   * Makes a change of the catalogue for another node, if this one leads the system group; else `CLUSTER_ERROR` with the
   * leader. Resolves to the index from which on a replica of the system group has it. Absent: the node has no others.
   */
  proposeCatalogue?(change: CatalogueCommand): Promise<number>;
  /**
   * Moves a group's log time to the clock's for another node, at most once a second, if this one leads the group; else
   * `CLUSTER_ERROR`. Resolves to the index from which on a replica of the group has it. Absent: the node has no others.
   */
  advanceTime?(groupId: number): Promise<number>;
  /** A checksum of what a group replicates, as this node has it: equal on all nodes at the same entry. Reads all of it. */
  stateChecksum?(groupId: number): Promise<StateChecksum>;
  /**
   * A backup from this node's copies (docs/formats/backup.md), made as it is asked for; gives everything back when the
   * iteration ends. `stale`: as it is here, else with everything acknowledged before the call. One at a time:
   * `RESOURCE_EXHAUSTED`. Absent: the node has nothing to save.
   */
  saveSnapshot?(options: { readonly stale: boolean; readonly signal: AbortSignal }): AsyncIterable<BackupPart>;
  /** A group's entries from `fromIndex` up to the last that is applied here and was committed when called. `OUT_OF_RANGE` where it was given up. */
  readGroupLog?(groupId: number, fromIndex: number, signal: AbortSignal): AsyncIterable<GroupLogPage>;
  /** Tells where the listeners for clients are bound, once they are open; the node table gets it when that is possible. */
  announce?(listeners: { readonly host: string; readonly grpcPort: number; readonly httpPort: number }): void;
  /**
   * Before closing: is ready no more, lets others lead what it leads, and goes on answering, passing on what needs the
   * leader. Streams end, with `SERVICE_UNAVAILABLE`. Resolves when others lead, nobody else can, or `withinMs` are over.
   * Idempotent. Absent: it leads nothing that others could.
   */
  handOver?(withinMs: number): Promise<void>;
  /** Refuses new requests (`SERVICE_UNAVAILABLE`), waits for those in flight up to `drainMs`, flushes and closes. Idempotent. Rejects with the first failure, everything closed all the same. */
  close(drainMs: number): Promise<void>;
}

/** The state of a group on this node. */
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

/** One named condition of readiness. */
export interface ReadinessCheck {
  readonly name: string;
  readonly ok: boolean;
  /** In words, whether it holds or not. */
  readonly detail: string;
}

/** Everything `status` shows. Numbers as in `cluster.proto`. */
export interface NodeStatus {
  readonly clusterId: string;
  readonly nodeId: number;
  readonly nodeName: string;
  readonly instanceId: string;
  readonly startedAtMs: number;
  readonly groups: readonly GroupStatus[];
  /** The node table, as far as this node has applied it. Absent: only this node is known. */
  readonly nodes?: readonly NodeEntry[];
  readonly storage: StorageStatus;
  readonly wal: WalStatus;
  /** The other nodes of its groups that it has heard. Absent: nobody listens. */
  readonly heard?: readonly HeardNode[];
  /** Silence of so long is a failure of whoever is silent. Absent: nobody listens. */
  readonly electionMs?: number;
  /** The version all nodes work in together, and the program of which it is the version. Absent: the cluster is not made. */
  readonly clusterVersion?: number;
  readonly clusterVersionName?: string;
  /** How far this node's clock is ahead of most of its peers', in ms; negative: behind. Absent: too few were heard. */
  readonly clockOffsetMs?: number;
  /** The clock is so far off that what this node proposes is not stamped with it. Absent: false. */
  readonly clockAlarm?: boolean;
  /** Peers whose clocks are known. Absent: none. */
  readonly clockPeersHeard?: number;
}

/** When another node was last heard. */
export interface HeardNode {
  readonly nodeId: number;
  readonly heardMsAgo: number;
}

/** One group as this node sees it. */
export interface GroupStatus {
  readonly groupId: number;
  readonly role: 'leader' | 'follower' | 'candidate' | 'learner';
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
  /** What consensus knows of the group. Absent where nobody asked it. */
  readonly consensus?: ConsensusStatus;
}

/** A group's consensus on this node; fields as the raft host's status has them. */
export interface ConsensusStatus
  extends Pick<
    RaftGroupStatus,
    | 'isLearner'
    | 'isAsleep'
    | 'logBytes'
    | 'state'
    | 'leaderHeardMsAgo'
    | 'replicas'
    | 'configuration'
    | 'proposalsInFlight'
  > {}

/** The stores of all groups, added up. */
export interface StorageStatus {
  /** Keys of the callers; the store's own records are not counted, expired keys are until they are merged away. */
  readonly keys: number;
  readonly segments: number;
  readonly liveBytes: number;
  readonly deadBytes: number;
  readonly staleRatio: number;
  readonly keyDirectoryBytes: number;
  readonly cacheEntries: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly durability: string;
  readonly mergeState: string;
  readonly lastCheckpointMs: number;
}

/** The write-ahead log. */
export interface WalStatus {
  readonly firstLsn: number;
  readonly lastLsn: number;
  readonly durableLsn: number;
  readonly segments: number;
  readonly bytes: number;
  readonly durability: string;
  readonly lastSyncMs: number;
  readonly syncs: number;
  /** How often the disk was silent for longer than a leader may wait, since the start. Absent: not counted. */
  readonly diskStalls?: number;
  /** How long the oldest write has been waiting for the disk. Absent: none waits. */
  readonly waitingMs?: number;
}
