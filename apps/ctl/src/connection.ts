/**
 * What the commands need from a server: a narrow face of the client, so that every command can be run against a fake
 * and no command knows the transport. Keys and values are bytes. Numbers are safe integers.
 */

import type {
  ConsumerPlace,
  KeptRange,
  Keyspaces,
  LogConsumer,
  LogPosition,
  MemberSights,
  NodeBackup,
  ProducerProgress,
  ReplicationFilter,
  ReplicationReport,
  SeekTarget,
  SeenEvent,
  SoughtPlace,
  TrimTarget,
} from '@shanghai/client';
import type { NodeObservation } from './doctor/core/observation.js';

/** A connection to a node or cluster. Calls reject with coded errors of the table of errors. */
export interface Connection {
  /** `undefined` where there is no such key. */
  get(key: Uint8Array, options?: { readonly level?: 'linearizable' | 'stale' }): Promise<Entry | undefined>;
  /** `ifRevision`: only if that is the key's revision, 0 = there is no such key; else rejects with `CONFLICT`. */
  put(
    key: Uint8Array,
    value: Uint8Array,
    options?: { readonly ttlMs?: number; readonly ifRevision?: number },
  ): Promise<{ readonly revision: number }>;
  /** Adds to the end of a value; a missing key is an empty value. */
  append(key: Uint8Array, value: Uint8Array): Promise<{ readonly revision: number; readonly valueBytes: number }>;
  delete(key: Uint8Array): Promise<{ readonly deleted: boolean; readonly revision: number }>;
  /** Pages are fetched as the reader goes. */
  range(range: KeyRange): AsyncIterable<Entry>;
  /** Changes of a key, of keys that begin so, or of all, until the signal aborts. */
  watch(target: WatchTarget): AsyncIterable<Change>;
  /** One result an operation, in order. With `atomic` all or none, which then rejects as one. */
  batch(
    operations: readonly WriteOperation[],
    options: { readonly atomic: boolean },
  ): Promise<readonly OperationResult[]>;
  readonly logs: LogConnection;
  readonly backup: NodeBackup;
  status(): Promise<NodeStatus>;
  nodes(): Promise<readonly NodeDescription[]>;
  /** Asks every node of the cluster, all at once; those that do not answer in a few seconds are reported as such. */
  reports(options?: ReportOptions): Promise<readonly NodeReport[]>;
  readonly members: MemberConnection;
  readonly keyspaces: Keyspaces;
  /** Asks every node of the node table for a diagnosis, all at once. */
  observations(): Promise<readonly NodeObservation[]>;
  /** Prometheus text. */
  metrics(): Promise<string>;
  /** How the node ships multi-master logs. */
  replication(filter?: ReplicationFilter): Promise<ReplicationReport>;
  pauseReplication(follower: number | 'all', isPaused: boolean): Promise<void>;
  /** Begins the shutdown of the node; `drainMs` is how long requests in flight may take. */
  shutdown(drainMs: number): Promise<void>;
  /** Waits for calls in flight. Idempotent. */
  close(): Promise<void>;
}

/** A key with its value. */
export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly revision: number;
  /** Milliseconds since 1970; 0 = never. */
  readonly expiresAtMs: number;
}

/** Which keys: `start` inclusive, `end` exclusive, `prefix` narrows both. */
export interface KeyRange {
  readonly start?: Uint8Array;
  readonly end?: Uint8Array;
  readonly prefix?: Uint8Array;
  /** Default: all. */
  readonly limit?: number;
  readonly reverse?: boolean;
  readonly keysOnly?: boolean;
  /** Default: linearizable. */
  readonly level?: 'linearizable' | 'stale';
  readonly signal?: AbortSignal;
}

/** What to watch: `key` or `prefix`, or neither: every key. */
export interface WatchTarget {
  readonly key?: Uint8Array;
  readonly prefix?: Uint8Array;
  /** Called when the watch stands: what is changed from then on is given. */
  readonly onReady: () => void;
  readonly signal: AbortSignal;
}

/** A committed change; expiry is none. */
export interface Change extends Entry {
  readonly type: 'put' | 'delete';
}

/** One write of a batch. */
export type WriteOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array; readonly ttlMs?: number }
  | { readonly type: 'append'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: Uint8Array };

/** What became of one write of a batch. */
export interface OperationResult {
  /** Absent: it was applied. */
  readonly error?: { readonly code: string; readonly message: string };
  readonly revision: number;
  readonly deleted?: boolean;
  readonly valueBytes?: number;
}

/** The log plane. */
export interface LogConnection {
  create(name: string, settings: LogSettings): Promise<LogDescription>;
  list(prefix: string): Promise<readonly LogDescription[]>;
  describe(name: string): Promise<LogDescription>;
  delete(name: string): Promise<void>;
  /** Appends records that are kept or lost together. */
  append(
    name: string,
    records: readonly LogRecord[],
    options: {
      readonly acknowledgement?: Acknowledgement;
      readonly expectedLastSequence?: number;
      readonly here?: boolean;
    },
  ): Promise<AppendResult>;
  /** Entries that are there now, from a position on; at most `limit`. */
  read(
    name: string,
    options: LogStart & LogReading & { readonly limit: number; readonly signal?: AbortSignal },
  ): AsyncIterable<LogEntry>;
  /** Entries from a position on and then what is appended, until the signal aborts. */
  tail(
    name: string,
    options: LogStart & LogReading & { readonly fromEnd?: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<LogEntry>;
  consumers(name: string, prefix: string): Promise<readonly LogConsumer[]>;
  commit(
    name: string,
    consumer: string,
    position: number | readonly LogPosition[],
    options: { readonly generation?: number },
  ): Promise<ConsumerPlace>;
  seek(name: string, consumer: string, to: SeekTarget, dryRun: boolean): Promise<SoughtPlace>;
  deleteConsumer(name: string, consumer: string): Promise<void>;
  /** `undefined` where the log does not remember it. */
  producer(name: string, producerId: number): Promise<ProducerProgress | undefined>;
  /** A number: the first entry to keep. */
  trim(name: string, to: TrimTarget, force: boolean): Promise<KeptRange>;
}

export type {
  ConsumerPlace,
  KeptRange,
  LogConsumer,
  LogPosition,
  MemberSights,
  ProducerProgress,
  ReplicationFilter,
  ReplicationFollower,
  ReplicationReport,
  SeekTarget,
  SeenEvent,
  SeenMember,
  SoughtPlace,
  TrimTarget,
} from '@shanghai/client';

/** Where reading begins: a sequence number (0 or absent = the first kept), a time in milliseconds since 1970, or so many before the end. */
export interface LogStart {
  readonly fromSequence?: number;
  readonly fromTimeMs?: number;
  readonly last?: number;
}

/** Whose entries of a log of mode multi-master, and from which node's copy; `here`: that of the endpoint that answers. */
export interface LogReading {
  readonly origin?: number;
  readonly here?: boolean;
  readonly allOrigins?: boolean;
  readonly order?: 'arrival' | 'time';
}

/** When an append is answered. */
export type Acknowledgement = 'local' | 'quorum' | 'all';

/** What is fixed when a log is made. 0 or absent = the default; retention 0 = unlimited. */
export interface LogSettings {
  readonly mode?: 'quorum' | 'multi-master';
  readonly acknowledgement?: Acknowledgement;
  readonly retentionMs?: number;
  readonly retentionBytes?: number;
  readonly cleanupPolicy?: 'delete' | 'compact';
  readonly retentionEntries?: number;
  readonly tombstoneRetentionMs?: number;
}

/** A log as the server describes it. */
export interface LogDescription {
  readonly name: string;
  readonly logId: number;
  readonly settings: LogSettings;
  readonly createdAtMs: number;
  readonly origins: readonly {
    readonly origin: number;
    readonly epoch: number;
    readonly firstSequence: number;
    readonly lastSequence: number;
    readonly bytes: number;
    readonly segments: number;
  }[];
}

/** One record to append. */
export interface LogRecord {
  readonly key?: Uint8Array;
  readonly value: Uint8Array;
  readonly headers?: readonly LogHeader[];
}

/** A named value beside a record. */
export interface LogHeader {
  readonly name: string;
  readonly value: Uint8Array;
}

/** What an append made. */
export interface AppendResult {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly timeMs: number;
}

/** One entry read. */
export interface LogEntry {
  readonly origin: number;
  readonly sequence: number;
  readonly timeMs: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly headers: readonly LogHeader[];
}

/** What `status` shows. */
export interface NodeStatus {
  readonly version: string;
  readonly clusterId: string;
  readonly state: ClusterState;
  /** Why it is not healthy, the worst first. */
  readonly reasons: readonly StateReason[];
  /** Conditions under which the node takes requests. */
  readonly checks: readonly HealthCheck[];
  readonly node: NodeDescription;
  readonly uptimeMs: number;
  /** The version in which all nodes work together; 0 or absent: it is not known. */
  readonly clusterVersion?: number;
  readonly clusterVersionName?: string;
  /** Its wall clock against those of its peers. Absent: it does not say. */
  readonly clock?: { readonly offsetMs: number | undefined; readonly alarm: boolean; readonly peersHeard: number };
  readonly groups: readonly GroupState[];
  readonly storage: Readonly<Record<string, number | string>>;
  readonly wal: Readonly<Record<string, number | string>>;
}

/** Something that keeps the cluster from being healthy. */
export interface StateReason {
  readonly state: ClusterState;
  readonly groupId?: number;
  readonly nodeId?: number;
  readonly text: string;
}

/** One named condition under which a node takes requests. */
export interface HealthCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** Since when, milliseconds since 1970; 0: not known. */
  readonly sinceMs: number;
}

/** A group as a node sees it. What is not named here is shown as it is. */
export interface GroupState {
  readonly groupId: number;
  readonly role: string;
  /** 0 = not known. */
  readonly leaderNodeId: number;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly durableAppliedIndex: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly state: string;
  readonly isLearner: boolean;
  readonly isAsleep: boolean;
  /** Milliseconds since the leader was last heard, 0 where this node leads, `undefined`: never. */
  readonly leaderHeardMsAgo: number | undefined;
  readonly configuration: {
    readonly voters: readonly number[];
    readonly votersOutgoing: readonly number[];
    readonly learners: readonly number[];
    readonly learnersNext: readonly number[];
  };
  readonly replicas: readonly ReplicaState[];
  readonly [more: string]: unknown;
}

/** A member of a group as its leader sees it. */
export interface ReplicaState {
  readonly nodeId: number;
  readonly matchIndex: number;
  readonly state: string;
  readonly isLearner: boolean;
  readonly isActive: boolean;
  readonly snapshotSent: number | undefined;
}

/** What a node of the cluster said of itself, or why it did not. */
export interface NodeReport {
  readonly node: NodeDescription;
  /** Absent: it did not answer. */
  readonly status?: NodeStatus;
  readonly problem?: string;
  /** Where they were asked for. */
  readonly checksums?: readonly {
    readonly groupId: number;
    readonly appliedIndex: number;
    readonly checksum: string;
  }[];
  /** Where it was asked for. */
  readonly replication?: ReplicationReport;
}

/** What is asked of every node beside its status. */
export interface ReportOptions {
  readonly checksums?: boolean;
  /** Shipping of multi-master logs. */
  readonly replication?: ReplicationFilter;
}

/** Healthy: all up; degraded: some node is not, but every group has a quorum; unavailable: some group has none. */
export type ClusterState = 'healthy' | 'degraded' | 'unavailable' | 'unknown';

/** Who belongs to the cluster. A change resolves when it has begun. */
export interface MemberConnection {
  table(): Promise<MemberTable>;
  /** Who is there and alive, as the connected node sees it by gossip. */
  seen(): Promise<MemberSights>;
  /** What it was told of members since it started; waits for news up to `waitMs` where there is none behind `after`. */
  events(options: { readonly after: number; readonly waitMs: number; readonly signal: AbortSignal }): Promise<{
    readonly events: readonly SeenEvent[];
    readonly last: number;
  }>;
  /** The same `reservation` gets the same id again. */
  reserve(options: {
    readonly reservation: string;
    readonly name?: string;
    readonly peerAddress?: string;
  }): Promise<{ readonly clusterId: string; readonly nodeId: number; readonly joinAddresses: readonly string[] }>;
  leave(nodeId: number, options: { readonly force: boolean }): Promise<void>;
  replace(nodeId: number, options: { readonly by: number | undefined; readonly force: boolean }): Promise<void>;
  setReplicationFactor(factor: number): Promise<void>;
}

/** The node table. */
export interface MemberTable {
  readonly nodes: readonly NodeDescription[];
  readonly replicationFactor: number;
  readonly removedNodeIds: readonly number[];
}

/** A node as the cluster knows it. */
export interface NodeDescription {
  readonly nodeId: number;
  readonly name: string;
  readonly instanceId: string;
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly peerAddress: string;
  readonly state: string;
  /** `joining`, `member` or `leaving`; empty from a server that does not say. */
  readonly membership: string;
  /** While it leaves: the node that takes its place, 0 = whichever joins. */
  readonly replacedBy?: number;
  /** The program it runs; empty or absent: it has not said. */
  readonly version?: string;
  /** The highest cluster version that it supports; 0 or absent: it has not said. */
  readonly highestClusterVersion?: number;
}
