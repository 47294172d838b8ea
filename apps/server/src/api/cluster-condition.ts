import type { NodeStatus } from '../node.js';
import { knownNodes } from './known-nodes.js';

/** *healthy*: all nodes up. *degraded*: some node not up, every group has a quorum. *unavailable*: some group has none. */
export type ClusterCondition = 'healthy' | 'degraded' | 'unavailable';

const noAddresses = { http: '', grpc: '', peer: '' };

/** The cluster's condition as this node knows it: a leader sees who is down, a follower only whether there is a leader. */
export function clusterCondition(status: NodeStatus): ClusterCondition {
  if (status.groups.some((group) => group.leaderNodeId === 0)) return 'unavailable';
  return knownNodes(status, noAddresses).some(({ state }) => state === 'down') ? 'degraded' : 'healthy';
}
