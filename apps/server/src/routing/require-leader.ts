import type { NodeEntry } from '../apply/catalogue-command.js';
import { notLeader } from '../raft/proposal-refusals.js';
import type { Replica } from '../raft/replica.js';

/**
 * Refuses with the leader's name where this node does not lead a group: before something else is done that only makes
 * sense together with a proposal to it.
 */
export function requireLeader(replica: Replica, nodes: readonly NodeEntry[]): void {
  const { role, leaderNodeId } = replica.log.status();
  if (role === 'leader') return;
  const leader = nodes.find(({ nodeId }) => nodeId === leaderNodeId);
  throw notLeader(replica.groupId, leaderNodeId, leader);
}
