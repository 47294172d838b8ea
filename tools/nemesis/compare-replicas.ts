import { setTimeout as sleep } from 'node:timers/promises';
import { Violation } from '../simulator/raft/truth.js';
import type { ClusterUnderTest, ReplicaRow } from './cluster-under-test.js';

/** What a look at all copies showed. */
export type Comparison =
  | { readonly type: 'same'; readonly text: string }
  | { readonly type: 'apart'; readonly text: string };

/**
 * Looks at one answer: every group must be there once for each node, all copies of it applied to one entry, with one
 * checksum. Copies that differ at one entry are a `Violation`.
 */
export function compareRows(rows: readonly ReplicaRow[], nodes: number): Comparison {
  const groups = [...new Set(rows.map(({ groupId }) => groupId))];
  const sums = new Map<string, string>();
  for (const { groupId, appliedIndex, checksum } of rows) {
    if (checksum === undefined) continue;
    const place = `group ${groupId} at entry ${appliedIndex}`;
    const known = sums.get(place);
    if (known !== undefined && known !== checksum) {
      throw new Violation(`agreement: copies of ${place} differ: ${JSON.stringify(rows)}`);
    }
    sums.set(place, checksum);
  }
  const isWhole = groups.length > 0 && rows.length === groups.length * nodes && sums.size === groups.length;
  const areSummed = rows.every(({ checksum }) => checksum !== undefined);
  if (isWhole && areSummed) {
    return { type: 'same', text: [...sums].map(([place, sum]) => `${place} ${sum.slice(0, 8)}`).join(', ') };
  }
  const copies = rows.map(({ groupId, nodeId, role, appliedIndex, checksum = 'none' }) => {
    return `group ${groupId} of node ${nodeId} (${role}) at entry ${appliedIndex}, checksum ${checksum.slice(0, 8)}`;
  });
  return { type: 'apart', text: copies.join('; ') };
}

/** Waits until all copies are the same, and says at which entries. Throws a `Violation` where they differ, or stay apart. */
export async function compareReplicas(cluster: ClusterUnderTest, isOverdue: () => boolean): Promise<string> {
  for (;;) {
    const result = await cluster
      .replicas()
      .then((rows) => compareRows(rows, cluster.members.length))
      .catch((error: unknown) => {
        if (error instanceof Violation) throw error;
        return { type: 'apart' as const, text: (error as Error).message };
      });
    if (result.type === 'same') return `all copies are the same: ${result.text}`;
    if (isOverdue()) throw new Violation(`agreement: copies stay apart: ${result.text}`);
    await sleep(500);
  }
}
