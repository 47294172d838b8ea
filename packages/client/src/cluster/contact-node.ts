import type { SearchStep } from '../core/leader-search.js';
import type { ClusterNode } from './cluster-node.js';
import type { ClusterNodes } from './cluster-nodes.js';
import type { NodeRoute } from './node-route.js';

/**
 * The node of a client's requests about a node: the first endpoint that can be reached, until it fails. Never one that was
 * only learned of: whoever stops a node means one that he named.
 */
export class ContactNode implements NodeRoute {
  readonly #nodes: ClusterNodes;
  #at: ClusterNode;

  constructor(nodes: ClusterNodes) {
    this.#nodes = nodes;
    this.#at = nodes.next(undefined, nodes.endpoints);
  }

  target(): ClusterNode {
    return this.#at.isHealthy ? this.#at : this.#nodes.next(this.#at, this.#nodes.endpoints);
  }

  failed(node: ClusterNode): void {
    node.failed();
    this.#at = this.#nodes.next(node, this.#nodes.endpoints);
  }

  refused(node: ClusterNode): SearchStep {
    this.failed(node);
    return 'wait';
  }
}
