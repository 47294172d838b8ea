import type { StateReason } from '../../health/core/cluster-sight.js';
import type { TimedCheck } from '../../health/health-view.js';

/** A condition of readiness as JSON shows it. */
export function checkFields({ name, ok, detail, sinceMs }: TimedCheck): Record<string, unknown> {
  return { name, ok, detail, since: new Date(sinceMs).toISOString() };
}

/** Why a cluster is not healthy, as JSON shows it. */
export function reasonFields({ state, groupId, nodeId, text }: StateReason): Record<string, unknown> {
  return { state, group_id: groupId ?? null, node_id: nodeId ?? null, text };
}
