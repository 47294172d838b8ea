import type { ProgressState } from '@shanghai/raft';
import type { GroupStatus } from '../../node.js';

/** A group's copy on a node, as that node tells of it. */
export interface SeenGroup {
  readonly groupId: number;
  readonly role: string;
  /** 0 = not known. */
  readonly leaderNodeId: number;
  readonly term: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly durableAppliedIndex: number;
  readonly isLearner: boolean;
  readonly isAsleep: boolean;
  /** `open`, `full`, `stalled`, `restoring`, `failed` or `closed`. */
  readonly state: string;
  /** `undefined`: never. */
  readonly leaderHeardMsAgo: number | undefined;
  readonly voters: readonly number[];
  /** Voters that leave; empty unless the configuration is changing. */
  readonly votersOutgoing: readonly number[];
  readonly learners: readonly number[];
  /** The other members, where this copy leads. */
  readonly members: readonly SeenMember[];
}

/** A member of a group as its leader sees it. */
export interface SeenMember {
  readonly nodeId: number;
  readonly matchIndex: number;
  /** `probe`, `replicate` or `snapshot`. */
  readonly state: string;
  readonly isLearner: boolean;
  readonly isActive: boolean;
  /** Share of a snapshot's bytes that were sent, where one is on its way. */
  readonly snapshotSent: number | undefined;
}

/** A group of this node in the same terms. `stateName` names the states of members. */
export function ownGroup(group: GroupStatus, stateName: (state: ProgressState) => string): SeenGroup {
  const { consensus } = group;
  const { voters = [], votersOutgoing = [], learners = [] } = consensus?.configuration ?? {};
  return {
    groupId: group.groupId,
    role: group.role,
    leaderNodeId: group.leaderNodeId,
    term: group.term,
    firstIndex: group.firstIndex,
    lastIndex: group.lastIndex,
    commitIndex: group.commitIndex,
    appliedIndex: group.appliedIndex,
    durableAppliedIndex: group.durableAppliedIndex,
    isLearner: consensus?.isLearner ?? false,
    isAsleep: consensus?.isAsleep ?? false,
    state: consensus?.state ?? 'open',
    leaderHeardMsAgo: consensus?.leaderHeardMsAgo,
    voters,
    votersOutgoing,
    learners,
    members: (consensus?.replicas ?? []).map((member) => ({ ...member, state: stateName(member.state) })),
  };
}
