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

/** A member as one node sees it by gossip. */
export interface SeenMember {
  readonly nodeId: number;
  readonly name: string;
  /** Where its peer listener is. */
  readonly address: string;
  readonly instanceId: string;
  /** Grows with each start of the node, and whenever it refutes a suspicion. */
  readonly incarnation: number;
  /** joining, up, suspect, down, leaving, left or removed. */
  readonly state: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Since the asked node heard from it. `undefined`: never. */
  readonly heardMsAgo: number | undefined;
  /** Whether the asked node is one of those that find out whether it is alive. */
  readonly isObserved: boolean;
}

/** Who is there and alive, as one node sees it. */
export interface MemberSights {
  /** Which node that is. */
  readonly nodeId: number;
  readonly members: readonly SeenMember[];
  /** It hears nobody: what it says of others is what it knew last. */
  readonly isIsolated: boolean;
  /** Equal on nodes that see the same. */
  readonly viewHash: number;
}

/** What a node was told of a member, or noticed of itself. */
export interface SeenEvent {
  /** From 1 on since the node started, without gaps. */
  readonly number: number;
  readonly atMs: number;
  readonly type: string;
  readonly nodeId: number;
  readonly name: string;
  readonly address: string;
  /** The state before; empty: none. */
  readonly before: string;
  readonly detail: string;
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
  /** Who is there and alive, as the asked node sees it by gossip. */
  seen(options?: CallOptions): Promise<MemberSights>;
  /** Events behind the number `after`, the oldest first; waits for one up to `waitMs` where there is none. `last`: number of the last there is. */
  events(
    options?: CallOptions & { readonly after?: number; readonly limit?: number; readonly waitMs?: number },
  ): Promise<{ readonly events: readonly SeenEvent[]; readonly last: number }>;
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
