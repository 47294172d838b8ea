import type { ClientError } from '../client-error.js';
import { LeaderSearch, type SearchStep } from '../core/leader-search.js';
import type { ClusterNode } from './cluster-node.js';
import { type ClusterNodes, isUsableAddress } from './cluster-nodes.js';
import type { NodeRoute } from './node-route.js';

/**
 * Where the requests of one group go that only its leader does: the leader where it is known, else one node after the
 * other.
 */
export class GroupLeader implements NodeRoute {
  readonly #nodes: ClusterNodes;
  readonly #search = new LeaderSearch<ClusterNode>();
  /** Whether nodes that were never heard of may be followed to. */
  readonly #discover: boolean;
  /** Who is asked while no leader is known. */
  #asked: ClusterNode;
  readonly #onMoved: ((abandon: boolean) => void)[] = [];

  constructor(nodes: ClusterNodes, discover: boolean) {
    this.#nodes = nodes;
    this.#discover = discover;
    this.#asked = nodes.next(undefined);
  }

  /** Called whenever another node than before is meant. `abandon`: the one before is not expected to answer any more. */
  whenMoved(listener: (abandon: boolean) => void): void {
    this.#onMoved.push(listener);
  }

  target(): ClusterNode {
    return this.#search.leader ?? this.#asked;
  }

  /** Whether that node has done a write, and so leads beyond doubt. */
  get isProven(): boolean {
    return this.#search.isProven;
  }

  failed(node: ClusterNode): void {
    node.failed();
    this.#moving(() => {
      this.#search.lost(node);
      if (this.#search.leader === undefined) this.#asked = this.#nodes.next(node);
    });
  }

  /** The refusal may name the leader. */
  refused(node: ClusterNode, failure: ClientError): SearchStep {
    if (failure.code !== 'CLUSTER_ERROR') node.failed();
    const named = this.#named(failure);
    const before = this.target();
    const step = this.#search.refused(node, named, this.#nodes.all.length - 1);
    if (this.#search.leader === undefined) this.#asked = this.#nodes.next(node);
    if (this.target() !== before) this.#tellMoved(false);
    return step;
  }

  /** Another node says who leads; `insist`: although somebody else once proved to. */
  told(leader: ClusterNode, insist: boolean): void {
    this.#moving(() => this.#search.told(leader, insist), insist);
  }

  /** The node did a write. */
  proved(node: ClusterNode): void {
    if (this.#search.isProven && this.#search.leader === node) return;
    this.#moving(() => {
      this.#search.proved(node);
      this.#asked = node;
    });
  }

  /** The node that a refusal names, if it is worth following. */
  #named({ details }: ClientError): ClusterNode | undefined {
    const { leader, leaderNodeId } = details;
    const byId = Number(leaderNodeId);
    const known = Number.isSafeInteger(byId) && byId > 0 ? this.#nodes.withId(byId) : undefined;
    const address = typeof leader === 'string' && isUsableAddress(leader) ? leader : undefined;
    const node = known ?? (address === undefined ? undefined : this.#atAddress(address));
    return node?.isWorthFollowing ? node : undefined;
  }

  #atAddress(address: string): ClusterNode | undefined {
    return this.#discover ? this.#nodes.at(address) : this.#nodes.all.find((node) => node.address === address);
  }

  #moving(change: () => void, abandon = false): void {
    const before = this.target();
    change();
    if (this.target() !== before) this.#tellMoved(abandon);
  }

  #tellMoved(abandon: boolean): void {
    for (const listener of this.#onMoved) listener(abandon);
  }
}
