import type { NodeStatus, ReadinessCheck } from '../node.js';
import type { NodeReport } from './core/cluster-sight.js';
import type { ClusterView } from './core/cluster-view.js';

/** A condition of readiness, and since when (wall time) it has been so. */
export interface TimedCheck extends ReadinessCheck {
  readonly sinceMs: number;
}

/** How a node and its cluster are, as the APIs show it. Nothing here waits. */
export interface HealthView {
  /** Conditions under which the node takes requests, at this moment; all hold: it is ready. */
  checks(): readonly TimedCheck[];
  /** The cluster, with what the other nodes answered lately. `status` is this node's, of this moment. */
  cluster(status: NodeStatus): ClusterView;
  /** What the other nodes answered when they were last asked, by node id. */
  reports(): readonly NodeReport[];
  /** Calls `listener` when the node becomes ready, or no longer is, as seen about once a second. Returns what ends it. */
  onReadiness(listener: (isReady: boolean) => void): () => void;
}
