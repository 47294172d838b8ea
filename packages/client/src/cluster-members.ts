import type { CallOptions } from './key-value-store.js';
import type { NodeDescription } from './node-administration.js';

/** The node table. */
export interface MemberTable {
  /** By id; those that come and go among them. */
  readonly nodes: readonly NodeDescription[];
  /** Voters of a group where there are nodes enough. 0 from a server that does not say. */
  readonly replicationFactor: number;
  /** Nodes that were taken out; their ids are never given again. */
  readonly removedNodeIds: readonly number[];
}

/** An id that was set aside for a new node. */
export interface ReservedNode {
  readonly clusterId: string;
  readonly nodeId: number;
  /** gRPC addresses of nodes that it may be told to join. */
  readonly joinAddresses: readonly string[];
}

/**
 * Who belongs to the cluster. Any node takes these. A change resolves when it is in the node table; the groups follow by
 * themselves, which `table` and the status of the nodes show. Each may be asked for again. Rejections with `CONFLICT`: it
 * would leave no majority, or another node is leaving.
 */
export interface ClusterMembers {
  table(options?: CallOptions): Promise<MemberTable>;
  /** Sets an id aside for a node that is started later; the same `reservation` (1 to 128 characters) gets the same one. */
  reserve(
    options: CallOptions & { readonly reservation: string; readonly name?: string; readonly peerAddress?: string },
  ): Promise<ReservedNode>;
  /** Begins to take a node out. `force`: also where those who remain have no majority now. */
  leave(nodeId: number, options?: CallOptions & { readonly force?: boolean }): Promise<void>;
  /** As `leave`, but no group gets smaller: node `by`, or whichever joins, takes its place. */
  replace(
    nodeId: number,
    options?: CallOptions & { readonly by?: number | undefined; readonly force?: boolean },
  ): Promise<void>;
  /** In [1, 15]. */
  setReplicationFactor(factor: number, options?: CallOptions): Promise<void>;
}
