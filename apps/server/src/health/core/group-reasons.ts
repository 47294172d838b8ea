/**
 * Whether a group has a quorum, and which of its voters do not count towards it. A voter counts that can put an entry on
 * its disk: one that is down, whose disk is full or silent, or that is given a snapshot, does not.
 */
import { type ClusterSight, type Copy, leadingCopy, type NodeCondition, type StateReason } from './cluster-sight.js';
import type { SeenGroup } from './seen-group.js';

/** A voter that acknowledges nothing, and why. */
export interface UnableVoter {
  readonly groupId: number;
  readonly nodeId: number;
  /** `down`, or in words. */
  readonly why: string;
}

/** What is to be said of one group. */
export interface GroupVerdict {
  /** Why it is unavailable; absent: it has a leader and a quorum. */
  readonly reason?: StateReason;
  readonly unable: readonly UnableVoter[];
}

/** Judges a group by its copies (at least one). */
export function judgeGroup(
  copies: readonly Copy[],
  conditions: ReadonlyMap<number, NodeCondition>,
  sight: ClusterSight,
): GroupVerdict {
  const leading = leadingCopy(copies);
  const known = leading ?? newest(copies);
  const { groupId } = known.group;
  const voterSets = [known.group.voters, known.group.votersOutgoing].filter((voters) => voters.length > 0);
  const unable = new Map<number, string>();
  for (const nodeId of new Set(voterSets.flat())) {
    const why = whyUnable(nodeId, copies, leading?.group, conditions);
    if (why !== undefined) unable.set(nodeId, why);
  }
  const list = [...unable].map(([nodeId, why]) => ({ groupId, nodeId, why }));
  const reason = withoutQuorum(groupId, voterSets, unable) ?? withoutLeader(leading, known, conditions, sight);
  return { unable: list, ...(reason === undefined ? {} : { reason }) };
}

function newest(copies: readonly Copy[]): Copy {
  return copies.reduce((best, copy) => (copy.group.term > best.group.term ? copy : best));
}

function whyUnable(
  nodeId: number,
  copies: readonly Copy[],
  leading: SeenGroup | undefined,
  conditions: ReadonlyMap<number, NodeCondition>,
): string | undefined {
  if (conditions.get(nodeId) === 'down') return 'down';
  const state = copies.find((copy) => copy.nodeId === nodeId)?.group.state ?? 'open';
  if (state !== 'open') return stateTexts[state] ?? `it is ${state}`;
  const member = leading?.members.find((one) => one.nodeId === nodeId);
  return member?.isActive === false ? 'the leader does not hear it' : undefined;
}

const stateTexts: Readonly<Record<string, string>> = {
  full: 'the disk is full',
  stalled: 'the disk does not answer',
  restoring: 'a snapshot is put in',
  failed: 'it has failed',
  closed: 'it is closed',
};

function withoutQuorum(
  groupId: number,
  voterSets: readonly (readonly number[])[],
  unable: ReadonlyMap<number, string>,
): StateReason | undefined {
  for (const voters of voterSets) {
    const needed = Math.floor(voters.length / 2) + 1;
    const able = voters.filter((nodeId) => !unable.has(nodeId)).length;
    if (able >= needed) continue;
    const who = voters.filter((nodeId) => unable.has(nodeId)).map((nodeId) => `node ${nodeId}: ${unable.get(nodeId)}`);
    const text = `group ${groupId} has no quorum: ${able} of ${voters.length} voters take writes, ${needed} must (${who.join('; ')})`;
    return { state: 'unavailable', groupId, text };
  }
  return undefined;
}

function withoutLeader(
  leading: Copy | undefined,
  known: Copy,
  conditions: ReadonlyMap<number, NodeCondition>,
  { electionMs }: ClusterSight,
): StateReason | undefined {
  if (leading !== undefined) return undefined;
  const { groupId, leaderNodeId, leaderHeardMsAgo } = known.group;
  // The leader itself may not have been asked yet; whoever follows it hears it.
  const isFollowed = leaderNodeId !== 0 && conditions.get(leaderNodeId) !== 'down';
  if (isFollowed && (leaderHeardMsAgo ?? 0) <= 2 * electionMs) return undefined;
  return { state: 'unavailable', groupId, text: `group ${groupId} has no leader` };
}
