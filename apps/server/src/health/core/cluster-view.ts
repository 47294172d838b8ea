/**
 * How a cluster is, from what one node knows of it: its own groups, whom it hears, and what the others answered when
 * they were asked. Every node asks every other one, so all that can reach each other come to the same verdict; a node
 * that is cut off says so of what it sees.
 */
import {
  type ClusterCondition,
  type ClusterSight,
  type Copy,
  copiesOf,
  freshReports,
  type NodeCondition,
  type StateReason,
} from './cluster-sight.js';
import { judgeGroup, type UnableVoter } from './group-reasons.js';
import { nodeConditions } from './node-conditions.js';

/** The verdict. */
export interface ClusterView {
  readonly state: ClusterCondition;
  /** Why; the worst first, then by node. Empty where it is healthy. */
  readonly reasons: readonly StateReason[];
  /** By node id, of every node of the node table. */
  readonly nodes: ReadonlyMap<number, NodeCondition>;
}

/** Checks that are a matter of the node; the others follow from the state of groups, which are judged by themselves. */
const nodeChecks: ReadonlySet<string> = new Set(['accepting', 'storage', 'space', 'disk', 'applied', 'clock']);

/** Judges. Pure: the same sight gives the same view. */
export function clusterView(sight: ClusterSight): ClusterView {
  const nodes = nodeConditions(sight);
  const verdicts = [...byGroup(copiesOf(sight))].map((copies) => judgeGroup(copies, nodes, sight));
  const unavailable = verdicts.flatMap(({ reason }) => reason ?? []);
  const unable = verdicts.flatMap((verdict) => verdict.unable);
  const reasons = [...unavailable, ...sight.nodeIds.flatMap((nodeId) => nodeReasons(nodeId, nodes, unable, sight))];
  const state = unavailable.length > 0 ? 'unavailable' : reasons.length > 0 ? 'degraded' : 'healthy';
  return { state, reasons, nodes };
}

function byGroup(copies: readonly Copy[]): Iterable<readonly Copy[]> {
  const groups = new Map<number, Copy[]>();
  for (const copy of copies) {
    const known = groups.get(copy.group.groupId);
    if (known === undefined) groups.set(copy.group.groupId, [copy]);
    else known.push(copy);
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, seen]) => seen);
}

/** What one node does to the state of the cluster. */
function nodeReasons(
  nodeId: number,
  nodes: ReadonlyMap<number, NodeCondition>,
  unable: readonly UnableVoter[],
  sight: ClusterSight,
): readonly StateReason[] {
  const because = (text: string): StateReason => ({ state: 'degraded', nodeId, text: `node ${nodeId} ${text}` });
  if (nodes.get(nodeId) === 'down') return sight.reservedIds.includes(nodeId) ? [] : [because('is down')];
  const own = unable.filter((voter) => voter.nodeId === nodeId);
  const whys = [...new Set(own.map(({ why }) => why))];
  const asVoter = whys.map((why) => because(`takes no writes of ${groupsText(own, why)}: ${why}`));
  const failing = (checksOf(nodeId, sight) ?? []).filter(({ name, ok }) => !ok && nodeChecks.has(name));
  // What keeps a voter from writing fails a check as well.
  const asNode = failing.filter(({ name }) => own.length === 0 || name === 'accepting' || name === 'clock');
  const stuck = sight.stuck.filter((member) => member.nodeId === nodeId);
  return [
    ...asVoter,
    ...asNode.map(({ name, detail }) => because(name === 'accepting' ? 'is stopping' : `(${name}): ${detail}`)),
    ...stuck.map(({ groupId, isLearner }) =>
      because(`lacks entries of group ${groupId} and gets none${isLearner ? ', as a learner' : ''}`),
    ),
  ];
}

function groupsText(own: readonly UnableVoter[], why: string): string {
  const ids = own.filter((voter) => voter.why === why).map(({ groupId }) => groupId);
  return ids.length === 1 ? `group ${ids[0]}` : `groups ${ids.join(', ')}`;
}

function checksOf(nodeId: number, sight: ClusterSight) {
  if (nodeId === sight.nodeId) return sight.checks;
  return freshReports(sight).find((report) => report.nodeId === nodeId)?.checks;
}
