import type { ReadinessCheck } from '../../node.js';
import type { SeenGroup } from './seen-group.js';
import type { StuckMember } from './stuck-members.js';

/** *healthy*: nothing is wrong. *degraded*: every group has a quorum. *unavailable*: some group has none. */
export type ClusterCondition = 'healthy' | 'degraded' | 'unavailable';

/** `up`: itself, or heard of lately. `down`: not heard of for an election timeout. `unknown`: too early to say. */
export type NodeCondition = 'up' | 'down' | 'unknown';

/** Something that keeps a cluster from being healthy. */
export interface StateReason {
  readonly state: Exclude<ClusterCondition, 'healthy'>;
  readonly groupId?: number;
  readonly nodeId?: number;
  /** In words for the operator; the same words while the same thing is wrong. */
  readonly text: string;
}

/** What another node answered when it was last asked how it is. */
export interface NodeReport {
  readonly nodeId: number;
  readonly instanceId: string;
  readonly ageMs: number;
  readonly groups: readonly SeenGroup[];
  readonly checks: readonly ReadinessCheck[];
}

/** All that a node knows of its cluster at one moment. */
export interface ClusterSight {
  /** This node. */
  readonly nodeId: number;
  readonly uptimeMs: number;
  /** Silence of so long is a failure. */
  readonly electionMs: number;
  /** The nodes of the node table, this one or not among them. */
  readonly nodeIds: readonly number[];
  /** Those of them that never were there: nobody misses them. */
  readonly reservedIds: readonly number[];
  readonly groups: readonly SeenGroup[];
  readonly checks: readonly ReadinessCheck[];
  /** Milliseconds since each other node was last heard. `undefined`: nobody listens. */
  readonly heardMsAgo: ReadonlyMap<number, number> | undefined;
  /** At most one of each other node. */
  readonly reports: readonly NodeReport[];
  readonly stuck: readonly StuckMember[];
}

/** Older answers say nothing any more. Some times what lies between two questions, so that one may be lost. */
export const freshMs = 3_000;

/** A copy of a group and on which node it is. */
export interface Copy {
  readonly nodeId: number;
  readonly group: SeenGroup;
}

/** Every copy that is known of, this node's own and those of fresh answers. */
export function copiesOf(sight: ClusterSight): readonly Copy[] {
  const own = sight.groups.map((group) => ({ nodeId: sight.nodeId, group }));
  const theirs = freshReports(sight).flatMap(({ nodeId, groups }) => groups.map((group) => ({ nodeId, group })));
  return [...own, ...theirs];
}

/** The answers that still count. */
export function freshReports({ reports, nodeId }: ClusterSight): readonly NodeReport[] {
  return reports.filter((report) => report.ageMs <= freshMs && report.nodeId !== nodeId);
}

/** Of copies that take themselves for the leader, the one of the highest term: others have not heard of it yet. */
export function leadingCopy(copies: readonly Copy[]): Copy | undefined {
  const leading = copies.filter(({ group }) => group.role === 'leader');
  return leading.reduce<Copy | undefined>(
    (best, copy) => (best === undefined || copy.group.term > best.group.term ? copy : best),
    undefined,
  );
}
