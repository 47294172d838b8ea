import type { ClientError } from '../client-error.js';
import type { SearchStep } from '../core/leader-search.js';
import type { ClusterNode } from './cluster-node.js';

/** Which node a request goes to, and what becomes of that choice when the node fails. */
export interface NodeRoute {
  /** The node that is meant now. */
  target(): ClusterNode;
  /** It cannot be reached, or broke its connection. */
  failed(node: ClusterNode): void;
  /** It refused because it cannot serve: `follow`: another one is meant now, ask it at once; `wait` before the next attempt. */
  refused(node: ClusterNode, failure: ClientError): SearchStep;
}
