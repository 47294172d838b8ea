/**
 * Whom this node takes for a peer: the pairs of node and instance of the node table. A node that is not in it yet is
 * taken on trust where it is one of those who make the cluster: the first instance that shows itself under its id is
 * pinned for as long as this process runs. A node that joined trusts those whom it was told of then, and whom it is told
 * of when it hears nobody, until its own copy of the table knows better. A registered node that shows another instance has lost or copied its
 * directory: what it once acknowledged it may no longer hold, so it must not vote under that id again. A node that was
 * taken out is nobody's peer.
 */
import type { NodeEntry } from '../apply/catalogue-command.js';
import type { FirstMember } from '../first-members.js';
import { lowestProtocol } from '../version/cluster-version.js';

/** What the book says about a node that shows itself. */
export type PeerVerdict = 'known' | 'unknown' | 'otherInstance' | 'removed';

/** What a book is made from. */
export interface PeerBookParts {
  readonly nodeId: number;
  /** With instances where they are known. */
  readonly firstMembers: readonly (FirstMember & { readonly instanceId?: string })[];
  /** The node table as this node has it now. */
  readonly nodes: () => readonly NodeEntry[];
  /** Those that were taken out of it. Absent: none. */
  readonly removed?: () => readonly Pick<NodeEntry, 'nodeId'>[];
  /** The cluster's version now, as far as this node knows. Absent: never known. */
  readonly clusterVersion?: () => number | undefined;
}

/** Nodes, their instances and where they are. */
export class PeerBook {
  readonly #parts: PeerBookParts;
  readonly #pinned = new Map<number, string>();
  /** Whom this node was told of, by id. */
  readonly #told = new Map<number, FirstMember>();

  constructor(parts: PeerBookParts) {
    this.#parts = parts;
    this.learn(parts.firstMembers);
  }

  /** Nodes of the cluster, by somebody who should know. What the node table says counts before it. */
  learn(members: readonly (FirstMember & { readonly instanceId?: string })[]): void {
    for (const { nodeId, peerAddress, instanceId } of members) {
      this.#told.set(nodeId, { nodeId, peerAddress });
      if (instanceId !== undefined) this.#pinned.set(nodeId, instanceId);
    }
  }

  /** Judges a node that says who it is. */
  check(nodeId: number, instanceId: string): PeerVerdict {
    if (this.#isRemoved(nodeId)) return 'removed';
    const registered = this.#parts.nodes().find((node) => node.nodeId === nodeId)?.instanceId;
    // An id that was only set aside.
    if (registered === '') return 'unknown';
    if (registered === undefined && !this.#told.has(nodeId)) return 'unknown';
    const expected = registered ?? this.#pinned.get(nodeId);
    if (expected === undefined) this.#pinned.set(nodeId, instanceId);
    return expected === undefined || expected === instanceId ? 'known' : 'otherInstance';
  }

  /** Programs that are too old for the cluster's version are told by the protocol they speak. */
  lowestProtocol(): number {
    return lowestProtocol(this.#parts.clusterVersion?.());
  }

  /** The other nodes and their peer addresses, in the order of their ids. The node table counts before what was told first. */
  peers(): readonly FirstMember[] {
    const { nodeId: ownId, nodes } = this.#parts;
    const addresses = new Map([...this.#told.values()].map(({ nodeId, peerAddress }) => [nodeId, peerAddress]));
    for (const { nodeId, peerAddress, instanceId } of nodes()) {
      if (peerAddress !== '' && instanceId !== '') addresses.set(nodeId, peerAddress);
    }
    for (const nodeId of [...addresses.keys()]) {
      if (nodeId === ownId || addresses.get(nodeId) === '' || this.#isRemoved(nodeId)) addresses.delete(nodeId);
    }
    return [...addresses].sort(([a], [b]) => a - b).map(([nodeId, peerAddress]) => ({ nodeId, peerAddress }));
  }

  #isRemoved(nodeId: number): boolean {
    return this.#parts.removed?.().some((one) => one.nodeId === nodeId) ?? false;
  }
}
