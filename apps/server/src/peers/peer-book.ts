/**
 * Whom this node takes for a peer: the pairs of node and instance of the node table. A node that is not in it yet is
 * taken on trust where it is one of those who make the cluster: the first instance that shows itself under its id is
 * pinned for as long as this process runs. A registered node that shows another instance has lost or copied its
 * directory: what it once acknowledged it may no longer hold, so it must not vote under that id again.
 */
import type { NodeEntry } from '../apply/catalogue-command.js';
import type { FirstMember } from '../first-members.js';

/** What the book says about a node that shows itself. */
export type PeerVerdict = 'known' | 'unknown' | 'otherInstance';

/** What a book is made from. */
export interface PeerBookParts {
  readonly nodeId: number;
  readonly firstMembers: readonly FirstMember[];
  /** The node table as this node has it now. */
  readonly nodes: () => readonly NodeEntry[];
}

/** Nodes, their instances and where they are. */
export class PeerBook {
  readonly #parts: PeerBookParts;
  readonly #pinned = new Map<number, string>();

  constructor(parts: PeerBookParts) {
    this.#parts = parts;
  }

  /** Judges a node that says who it is. */
  check(nodeId: number, instanceId: string): PeerVerdict {
    const { firstMembers, nodes } = this.#parts;
    const registered = nodes().find((node) => node.nodeId === nodeId)?.instanceId;
    if (registered === undefined && !firstMembers.some((member) => member.nodeId === nodeId)) return 'unknown';
    const expected = registered ?? this.#pinned.get(nodeId);
    if (expected === undefined) this.#pinned.set(nodeId, instanceId);
    return expected === undefined || expected === instanceId ? 'known' : 'otherInstance';
  }

  /** The other nodes and their peer addresses, in the order of their ids. The node table counts before what was told first. */
  peers(): readonly FirstMember[] {
    const { nodeId: ownId, firstMembers, nodes } = this.#parts;
    const addresses = new Map(firstMembers.map(({ nodeId, peerAddress }) => [nodeId, peerAddress]));
    for (const { nodeId, peerAddress } of nodes()) if (peerAddress !== '') addresses.set(nodeId, peerAddress);
    addresses.delete(ownId);
    return [...addresses].sort(([a], [b]) => a - b).map(([nodeId, peerAddress]) => ({ nodeId, peerAddress }));
  }
}
