import { replicaStateName } from '../api/replica-state.js';
import type { NodeEntry } from '../apply/catalogue-command.js';
import type { NodeStatus, ReadinessCheck } from '../node.js';
import type { ClusterSight, NodeReport } from './core/cluster-sight.js';
import { ownGroup } from './core/seen-group.js';
import type { StuckMember } from './core/stuck-members.js';

/** What a node knows beside its own status. */
export interface OtherKnowledge {
  readonly uptimeMs: number;
  readonly checks: readonly ReadinessCheck[];
  readonly reports: readonly NodeReport[];
  readonly stuck: readonly StuckMember[];
}

/** All of it together. */
export function sightOf(status: NodeStatus, more: OtherKnowledge): ClusterSight {
  const { nodeId, nodes = [], heard, electionMs = 0, groups } = status;
  const nodeIds = new Set([nodeId, ...nodes.map((node) => node.nodeId)]);
  return {
    ...more,
    nodeId,
    electionMs,
    reservedIds: nodes.filter(isNotThereYet).map((node) => node.nodeId),
    nodeIds: [...nodeIds].sort((a, b) => a - b),
    groups: groups.map((group) => ownGroup(group, replicaStateName)),
    heardMsAgo: heard === undefined ? undefined : new Map(heard.map((one) => [one.nodeId, one.heardMsAgo])),
  };
}

/** Its id is set aside, or it has just joined and has not said where it listens. */
function isNotThereYet({ instanceId, state, grpcAddress }: NodeEntry): boolean {
  return instanceId === '' || (state === 'joining' && grpcAddress === '');
}
