import { clockRules } from './clock-rules.js';
import { clusterRules } from './cluster-rules.js';
import { type Finding, sorted } from './finding.js';
import { groupRules } from './group-rules.js';
import { absentNode, presentNode } from './node-rules.js';
import { answering, type NodeObservation } from './observation.js';

/** Everything that is wrong, the worst first. Pure: the same observations give the same findings. */
export function diagnose(nodes: readonly NodeObservation[]): readonly Finding[] {
  const absent = nodes.filter(({ diagnostics }) => diagnostics === undefined);
  const isAbsent = (nodeId: number | undefined) => absent.some(({ node }) => node.nodeId === nodeId);
  // That a leader does not hear a node which nobody reaches says nothing new.
  const ofGroups = groupRules(nodes).filter(({ code, nodeId }) => code !== 'MEMBER_NOT_HEARD' || !isAbsent(nodeId));
  return sorted([
    ...absent.flatMap(absentNode),
    ...answering(nodes).flatMap(presentNode),
    ...clockRules(nodes),
    ...clusterRules(nodes),
    ...ofGroups,
  ]);
}
