import type { SearchStep } from '../core/leader-search.js';
import type { ClusterNode } from './cluster-node.js';
import type { ClusterNodes } from './cluster-nodes.js';
import type { NodeRoute } from './node-route.js';

/**
 * The first node that can be reached, until it fails. `endpoints`: never one that was only learned of, for requests about a
 * node: whoever stops one means one that he named. `all`: the endpoints first, then the others, for what any node does.
 */
export class ContactNode implements NodeRoute {
  readonly #nodes: ClusterNodes;
  readonly #among: 'endpoints' | 'all';
  #at: ClusterNode;

  constructor(nodes: ClusterNodes, among: 'endpoints' | 'all' = 'endpoints') {
    this.#nodes = nodes;
    this.#among = among;
    this.#at = nodes.next(undefined, nodes.endpoints);
  }

  target(): ClusterNode {
    const among = this.#nodes[this.#among];
    // One that was learned of may have left the cluster.
    return this.#at.isHealthy && among.includes(this.#at) ? this.#at : this.#nodes.next(this.#at, among);
  }

  failed(node: ClusterNode): void {
    node.failed();
    this.#at = this.#nodes.next(node, this.#nodes[this.#among]);
  }

  refused(node: ClusterNode): SearchStep {
    this.failed(node);
    return 'wait';
  }
}
