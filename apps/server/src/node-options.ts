import type { BitcaskListener, CacheOptions, CompressionOptions, MergeOptions } from '@shanghai/bitcask';
import type { Clock, Disk, Random } from '@shanghai/env';
import type { MembershipTransport, MembershipTuning } from '@shanghai/membership';
import type { HostLimits, HostListener, PeerTransport } from '@shanghai/raft';
import type { GrpcPeersListener } from '@shanghai/raft/grpc';
import type { ReplicationListener, ReplicationTransport, ReplicatorLimits } from '@shanghai/replication';
import type { WalDurability, WalListener } from '@shanghai/wal';
import type { EngineName } from './engine/storage-engine.js';
import type { FirstMember } from './first-members.js';
import type { OpenLeaderCalls } from './forward/leader-calls.js';
import type { NodeLimits } from './limits.js';
import type { AskToJoin } from './members/join-cluster.js';
import type { NodeMembershipListener } from './membership/node-membership.js';
import type { NodeListener } from './node-events.js';
import type { OriginParts } from './replication/multi-master.js';
import type { SupportedVersions } from './version/cluster-version.js';

/** What `openNode` takes. Only `dataDirectory` is needed. */
export interface NodeOptions {
  /** Made if missing. */
  readonly dataDirectory: string;
  /** In [1, 2^32). Fixed for a data directory at its first start. Default: as recorded there, 1 in a new one. */
  readonly nodeId?: number;
  /** Who makes a new cluster together, this node among them. Recorded at the first start. Default: this node alone, or as recorded. */
  readonly initialMembers?: readonly FirstMember[];
  /** Of a new data directory: the cluster that it asks to be taken into. Recorded at the first start. */
  readonly join?: JoinOptions;
  /** Tells clusters apart that are made of the same members. Default `'shanghai'`. */
  readonly clusterToken?: string;
  /** For people. Default `node-<id>`. */
  readonly nodeName?: string;
  /** The program, as the others are told. Default: empty. */
  readonly program?: string;
  /** Stands for another program, in tests. `highest` 1: the first release, which says nothing of it. Default: this program's. */
  readonly versions?: SupportedVersions;
  /** Where clients reach this node, as the node table has it until `announce` says otherwise. Default: empty. */
  readonly addresses?: { readonly grpc?: string; readonly http?: string };
  /** The host that `announce` puts before ports. Default: that of this node's address in the initial cluster, else the one the listeners are bound to. */
  readonly advertiseHost?: string;
  /** Consensus. Defaults: those of `@shanghai/raft`. */
  readonly raft?: Partial<HostLimits>;
  readonly peers?: NodePeerOptions;
  /** Carries what goes to other nodes, in the place of the peer listener. The node's from then on. */
  readonly transport?: PeerTransport;
  readonly replication?: NodeReplicationOptions;
  readonly membership?: NodeMembershipOptions;
  /** Hash slots of a new cluster, in [1, 65,536]. Default 1,024. Fixed at the first start. */
  readonly slots?: number;
  readonly limits?: Partial<NodeLimits>;
  readonly wal?: NodeWalOptions;
  /**
   * What holds the groups' state. Default `'bitcask'`. Fixed for a data directory at its first start. `'level'` works on
   * the machine's own disk only, whatever `disk` is.
   */
  readonly engine?: EngineName;
  readonly store?: NodeStoreOptions;
  /** Files of named logs. Defaults: segments of 64 MiB, the first of 1 MiB. */
  readonly logs?: { readonly segmentBytes?: number; readonly firstSegmentBytes?: number };
  /** State is made durable at least this often while there is something to do. Default 30,000. Raising it makes restarts longer. */
  readonly checkpointIntervalMs?: number;
  /** … and whenever so many bytes were proposed. Default 64 MiB. */
  readonly checkpointBytes?: number;
  /** Take over a lock that another host left. Default false. */
  readonly breakLock?: boolean;
  /** Reaches the leaders on other nodes. Default: `grpcLeaderCalls`, which connects when it is first needed. */
  readonly leaderCalls?: OpenLeaderCalls;
  readonly listener?: NodeListener;
  readonly raftListener?: HostListener;
  readonly walListener?: WalListener;
  readonly bitcaskListener?: BitcaskListener;
  /** Defaults: the Node forms. */
  readonly disk?: Disk;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A cluster that a new node joins. */
export interface JoinOptions {
  /** gRPC addresses, `host:port`, of some of its nodes. */
  readonly addresses: readonly string[];
  /** Where the others will reach this node. Default: `advertiseHost`, else the host and the port of `peers`; without a port as it was reserved. */
  readonly peerAddress?: string;
  /** Default 60,000. */
  readonly timeoutMs?: number;
  /** Default: over gRPC. */
  readonly ask?: AskToJoin;
}

/** The listener for other nodes. A node that was started alone has none. */
export interface NodePeerOptions {
  /** What it binds. Default 127.0.0.1. */
  readonly host?: string;
  /** 0 = that of this node's address in the initial cluster. Default 0. */
  readonly port?: number;
  /** For the snapshots to all nodes together. Default 64 MiB. */
  readonly snapshotBytesPerSecond?: number;
  readonly listener?: GrpcPeersListener;
}

/** Shipping of multi-master logs between the nodes. */
export interface NodeReplicationOptions {
  /** Carries it, in the place of the peer listener. The node's from then on. */
  readonly transport?: ReplicationTransport;
  /** Defaults as in `@shanghai/replication`. */
  readonly limits?: Partial<ReplicatorLimits>;
  readonly listener?: ReplicationListener;
  /** What retention keeps of a stream for a member that lacks it. Default 1 GiB. */
  readonly maxLagBytes?: number;
  /** Told when this node has begun to take part, of what it does so with. */
  readonly onBegun?: (parts: OriginParts) => void;
}

/** Who is there and alive. */
export interface NodeMembershipOptions {
  /** Carries it, in the place of the peer listener. The node's from then on. */
  readonly transport?: MembershipTransport;
  /** Times and numbers, the same on all nodes. Default: the profile `lan`. */
  readonly tuning?: MembershipTuning;
  readonly listener?: NodeMembershipListener;
}

/** The write-ahead log. Defaults as in `@shanghai/wal`. */
export interface NodeWalOptions {
  readonly durability?: WalDurability;
  readonly syncIntervalMs?: number;
  readonly segmentBytes?: number;
  readonly firstSegmentBytes?: number;
  readonly segmentsAhead?: number;
}

/** The stores of the groups. Defaults as in `@shanghai/bitcask`. */
export interface NodeStoreOptions {
  readonly segmentBytes?: number;
  readonly cache?: CacheOptions;
  readonly compression?: CompressionOptions;
  readonly merge?: MergeOptions;
  readonly maxOpenFiles?: number;
}
