/** The groups of a cluster and their copies, put together from what every node told of its own. */
import { type Copy, leadingCopy } from './cluster-sight.js';
import type { SeenGroup } from './seen-group.js';

/** A group over all nodes. */
export interface GroupRow {
  readonly groupId: number;
  /** 0: nobody who was asked leads it. */
  readonly leaderNodeId: number;
  readonly term: number;
  readonly commitIndex: number;
  readonly voters: readonly number[];
  /** Not empty: it is changing from these. */
  readonly votersOutgoing: readonly number[];
  readonly learners: readonly number[];
  readonly state: 'ok' | 'asleep' | 'changing' | 'no_leader';
}

/** A copy of a group on a node. */
export interface ReplicaRow {
  readonly groupId: number;
  readonly nodeId: number;
  /** Absent: the node has not said. */
  readonly copy?: SeenGroup;
  /** How old that is. */
  readonly ageMs: number;
  /** Committed entries that it has not applied; absent where it or its leader has not said. */
  readonly lagEntries?: number;
  /** As its leader sees it; absent for the leader itself and where nobody leads. */
  readonly asMember?: SeenGroup['members'][number];
}

/** A copy, and how old the news of it are. */
export interface AgedCopy extends Copy {
  readonly ageMs: number;
}

/** By group id. */
export function groupRows(copies: readonly AgedCopy[]): readonly GroupRow[] {
  return byGroup(copies).map(([groupId, seen]) => {
    const leading = leadingCopy(seen);
    const { term, commitIndex, voters, votersOutgoing, learners, isAsleep } = (leading ?? newest(seen)).group;
    const settled = isAsleep ? 'asleep' : 'ok';
    const state = leading === undefined ? 'no_leader' : votersOutgoing.length > 0 ? 'changing' : settled;
    return { groupId, leaderNodeId: leading?.nodeId ?? 0, term, commitIndex, voters, votersOutgoing, learners, state };
  });
}

/** By group and node id: every member, whether it has said something or not. */
export function replicaRows(copies: readonly AgedCopy[]): readonly ReplicaRow[] {
  return byGroup(copies).flatMap(([groupId, seen]) => {
    const leading = leadingCopy(seen)?.group;
    const { voters, votersOutgoing, learners } = leading ?? newest(seen).group;
    const nodeIds = new Set([...voters, ...votersOutgoing, ...learners, ...seen.map(({ nodeId }) => nodeId)]);
    return [...nodeIds]
      .sort((a, b) => a - b)
      .map((nodeId): ReplicaRow => {
        const known = seen.find((copy) => copy.nodeId === nodeId);
        const asMember = leading?.members.find((member) => member.nodeId === nodeId);
        const lag = known === undefined ? undefined : leading?.commitIndex;
        return {
          groupId,
          nodeId,
          ageMs: known?.ageMs ?? 0,
          ...(known === undefined ? {} : { copy: known.group }),
          ...(asMember === undefined ? {} : { asMember }),
          ...(known === undefined || lag === undefined
            ? {}
            : { lagEntries: Math.max(0, lag - known.group.appliedIndex) }),
        };
      });
  });
}

function byGroup(copies: readonly AgedCopy[]): readonly (readonly [number, readonly AgedCopy[]])[] {
  const groupIds = [...new Set(copies.map(({ group }) => group.groupId))].sort((a, b) => a - b);
  return groupIds.map((groupId) => [groupId, copies.filter(({ group }) => group.groupId === groupId)]);
}

function newest(copies: readonly AgedCopy[]): AgedCopy {
  return copies.reduce((best, copy) => (copy.group.term > best.group.term ? copy : best));
}
