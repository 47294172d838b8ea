/** Who belongs to the cluster, put together from the node table and from what every node says of its groups. */
import type { GroupState, MemberTable, NodeDescription, NodeReport } from '../connection.js';

/** A node and its part in every group. */
export interface MemberRow extends NodeDescription {
  readonly roles: readonly { readonly groupId: number; readonly role: MemberRole }[];
  /** Entries that it lacks of what is committed, in the group where it lacks most; absent: no leader says. */
  readonly lag?: number;
}

/** `joint`: it votes in one half of a configuration that is changing. `none`: the group has it not, or not any more. */
export type MemberRole = 'leader' | 'voter' | 'learner' | 'joint' | 'none' | 'unknown';

/** A row for each node of the table. */
export function memberRows(table: MemberTable, reports: readonly NodeReport[]): readonly MemberRow[] {
  const leaders = leadersOf(reports);
  return table.nodes.map((node) => {
    const roles = [...leaders].map(([groupId, group]) => ({ groupId, role: roleOf(node.nodeId, group) }));
    const lags = [...leaders.values()].flatMap((group) => lagOf(node.nodeId, group));
    return { ...node, roles, ...(lags.length === 0 ? {} : { lag: Math.max(...lags) }) };
  });
}

/** Each group as its leader sees it, by group; of those who take themselves for the leader the one of the highest term. */
function leadersOf(reports: readonly NodeReport[]): Map<number, GroupState> {
  const leaders = new Map<number, GroupState>();
  const groups = reports.flatMap(({ status }) => status?.groups ?? []);
  for (const group of groups.sort((a, b) => a.groupId - b.groupId)) {
    const known = leaders.get(group.groupId);
    const isBetter = known?.role !== 'leader' || (group.role === 'leader' && group.term > known.term);
    if (known === undefined || (isBetter && group.role === 'leader')) leaders.set(group.groupId, group);
  }
  return leaders;
}

function roleOf(nodeId: number, group: GroupState): MemberRole {
  const { voters, votersOutgoing, learners, learnersNext } = group.configuration;
  if (group.leaderNodeId === nodeId) return 'leader';
  if (learners.includes(nodeId) || learnersNext.includes(nodeId)) return 'learner';
  const isVoter = voters.includes(nodeId);
  if (votersOutgoing.length > 0 && isVoter !== votersOutgoing.includes(nodeId)) return 'joint';
  return isVoter ? 'voter' : 'none';
}

function lagOf(nodeId: number, group: GroupState): number[] {
  if (group.role !== 'leader') return [];
  if (group.leaderNodeId === nodeId) return [0];
  const replica = group.replicas.find((one) => one.nodeId === nodeId);
  return replica === undefined ? [] : [Math.max(0, group.commitIndex - replica.matchIndex)];
}

/** The part of a node in every group, in few words: `0 leader, 1 voter`. */
export function rolesText({ roles }: MemberRow): string {
  const words = roles.filter(({ role }) => role !== 'none').map(({ groupId, role }) => `${groupId} ${role}`);
  return words.join(', ') || '-';
}

/** Where a node stands, with who takes its place. */
export function standingText({ membership, replacedBy }: NodeDescription): string {
  if (replacedBy === undefined) return membership;
  return replacedBy === 0 ? `${membership} when replaced` : `${membership} for ${replacedBy}`;
}
