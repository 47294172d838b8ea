import { type ClusterSight, copiesOf, freshReports, type NodeCondition } from './cluster-sight.js';

/** How every node of the node table is, by id; this one is up. */
export function nodeConditions(sight: ClusterSight): ReadonlyMap<number, NodeCondition> {
  const answering = new Set(freshReports(sight).map(({ nodeId }) => nodeId));
  const members = copiesOf(sight).flatMap(({ group }) => group.members);
  const conditions = new Map<number, NodeCondition>([[sight.nodeId, 'up']]);
  for (const nodeId of sight.nodeIds) {
    if (nodeId === sight.nodeId) continue;
    const asMember = members.filter((member) => member.nodeId === nodeId);
    const isHeard = (sight.heardMsAgo?.get(nodeId) ?? Number.POSITIVE_INFINITY) <= sight.electionMs;
    if (isHeard || answering.has(nodeId) || asMember.some(({ isActive }) => isActive)) conditions.set(nodeId, 'up');
    else conditions.set(nodeId, isMissed(sight, asMember.length > 0) ? 'down' : 'unknown');
  }
  return conditions;
}

/** Whether a node that nobody hears should have been heard by now. */
function isMissed({ heardMsAgo, uptimeMs, electionMs }: ClusterSight, isMember: boolean): boolean {
  // A leader takes its followers for active until an election timeout is over.
  if (heardMsAgo === undefined) return isMember;
  return uptimeMs > 2 * electionMs;
}
