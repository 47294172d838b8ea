import type { NodeStatus } from '../node.js';

/** *healthy*: all nodes up. *degraded*: some node not up, every group has a quorum. *unavailable*: some group has none. */
export type ClusterCondition = 'healthy' | 'degraded' | 'unavailable';

/** The cluster's condition as this node knows it. On one node there is nothing between healthy and unavailable. */
export function clusterCondition(status: NodeStatus): ClusterCondition {
  return status.groups.every((group) => group.leaderNodeId !== 0) ? 'healthy' : 'unavailable';
}
