import type { NodeEntry, NodeVersions } from '../apply/catalogue-command.js';

/** What a new node says of itself. */
export interface JoinRequest {
  /** Of its data directory. */
  readonly instanceId: string;
  /** Where the others reach it, `host:port`. Empty: as it was reserved. */
  readonly peerAddress: string;
  /** Empty: as it was reserved, else `node-<id>`. */
  readonly name: string;
  /** 0: the next free one. */
  readonly nodeId: number;
  /** What holds its groups' state. Absent or empty: it does not say. */
  readonly engine?: string;
  /** What it runs. Absent: it does not say. */
  readonly versions?: NodeVersions;
}

/** What a new node is told. */
export interface JoinedCluster {
  readonly clusterId: string;
  readonly nodeId: number;
  /** The nodes of the cluster, the new one among them. */
  readonly members: readonly MemberAddress[];
}

/** Where a node is reached. */
export type MemberAddress = Pick<NodeEntry, 'nodeId' | 'instanceId' | 'peerAddress' | 'grpcAddress'>;

/** What the node table says of a node: it belongs; it was taken out for good; another instance has its id; nothing. */
export type MemberVerdict = 'member' | 'removed' | 'replaced' | 'unknown';

/** What the node table says beside its lines. */
export interface MemberSettings {
  /** Voters of a group where there are nodes enough. */
  readonly replicationFactor: number;
  /** Nodes that were taken out; their ids are never given again. */
  readonly removedNodeIds: readonly number[];
}

/**
 * Who belongs to the cluster, as operators and new nodes change it. Each change resolves when it is in the node table, which
 * the groups then follow by themselves; each may be asked for again. Rejections are `ServerError`s: `NOT_FOUND`, `CONFLICT`
 * (it would leave no majority, or another change is under way), `ALREADY_EXISTS`, `PERMISSION_DENIED` (an id that was
 * taken out), and what every write may say.
 */
export interface NodeMembers {
  settings(): MemberSettings;
  /** Enters a new node, at any node. The same instance gets the same id again. */
  join(request: JoinRequest): Promise<JoinedCluster>;
  /** Sets an id aside; the same `reservation` gets the same id again. */
  reserve(request: { readonly name: string; readonly peerAddress: string; readonly reservation: string }): Promise<{
    readonly clusterId: string;
    readonly nodeId: number;
    /** gRPC addresses of nodes that may be told to join. */
    readonly joinAddresses: readonly string[];
  }>;
  /** Begins to take a node out. `force`: also where those who remain have no majority now. */
  leave(nodeId: number, force: boolean): Promise<void>;
  /** As `leave`, but no group gets smaller: `replacedBy`, or with 0 whichever joins, takes its place. */
  replace(nodeId: number, replacedBy: number, force: boolean): Promise<void>;
  setReplicationFactor(factor: number): Promise<void>;
  /** For another node that hears nobody: whether it still belongs, and who does. Never waits. */
  check(
    nodeId: number,
    instanceId: string,
  ): {
    readonly verdict: MemberVerdict;
    readonly members: readonly MemberAddress[];
  };
}
