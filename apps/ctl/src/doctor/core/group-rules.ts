/** What can be wrong with a consensus group, seen over all nodes that answered. */
import type { GroupState } from '../../connection.js';
import type { Finding } from './finding.js';
import { type AnsweringNode, answering, type NodeObservation } from './observation.js';

/** A copy that lacks more committed entries is lagging. */
export const maxLagEntries = 10_000;

interface Copy {
  readonly nodeId: number;
  readonly group: GroupState;
}

/** All groups that anybody knows of. */
export function groupRules(nodes: readonly NodeObservation[]): readonly Finding[] {
  const present = answering(nodes);
  const groupIds = new Set(present.flatMap(({ diagnostics }) => diagnostics.groups.map(({ groupId }) => groupId)));
  return [...groupIds].sort((a, b) => a - b).flatMap((groupId) => judge(groupId, copiesOf(groupId, present), nodes));
}

function copiesOf(groupId: number, present: readonly AnsweringNode[]): readonly Copy[] {
  return present.flatMap(({ node, diagnostics }) => {
    const group = diagnostics.groups.find((one) => one.groupId === groupId);
    return group === undefined ? [] : [{ nodeId: node.nodeId, group }];
  });
}

function judge(groupId: number, copies: readonly Copy[], nodes: readonly NodeObservation[]): readonly Finding[] {
  const leading = leaderOf(copies);
  if (leading === undefined) return [withoutLeader(groupId, copies)];
  return [
    ...ofVoters(groupId, leading, nodes),
    ...ofMembers(groupId, leading),
    ...copies.flatMap((copy) => ofCopy(groupId, copy, leading)),
  ];
}

/** Of those who take themselves for the leader, the one of the highest term. */
function leaderOf(copies: readonly Copy[]): Copy | undefined {
  const leading = copies.filter(({ group }) => group.role === 'leader');
  return leading.reduce<Copy | undefined>(
    (best, copy) => (best === undefined || copy.group.term > best.group.term ? copy : best),
    undefined,
  );
}

function withoutLeader(groupId: number, copies: readonly Copy[]): Finding {
  const followed = copies.find(({ group }) => group.leaderNodeId !== 0)?.group.leaderNodeId;
  const who = followed === undefined ? '' : `; node ${followed}, which did not say so, may lead it`;
  return {
    severity: followed === undefined ? 'error' : 'warning',
    code: 'GROUP_WITHOUT_LEADER',
    groupId,
    what: `nobody who answered leads group ${groupId}${who}`,
    why: 'without a leader nothing is written, and nothing is read but what may be stale',
    todo: 'bring most of its voters up and into reach of each other: shanghaictl groups; where they are lost for good, see "Lost quorum" in the operations guide',
  };
}

function ofVoters(groupId: number, { group }: Copy, nodes: readonly NodeObservation[]): readonly Finding[] {
  const { voters, votersOutgoing } = group.configuration;
  const findings: Finding[] = [];
  if (votersOutgoing.length > 0) {
    findings.push({
      severity: 'info',
      code: 'GROUP_CHANGING',
      groupId,
      what: `the voters of group ${groupId} are changing from ${votersOutgoing.join(', ')} to ${voters.join(', ')}`,
      why: 'both sets must agree until it is done',
      todo: 'wait; where it does not end, see which of them is not active: shanghaictl replicas',
    });
  } else if (voters.length < 3 && nodes.length > 1) {
    findings.push({
      severity: 'warning',
      code: 'FEW_VOTERS',
      groupId,
      what: `group ${groupId} has ${voters.length} voter${voters.length === 1 ? '' : 's'}`,
      why: 'it does not survive the loss of one',
      todo: 'let more nodes join: shanghaictl node join',
    });
  } else if (voters.length % 2 === 0 && voters.length > 0) {
    findings.push({
      severity: 'info',
      code: 'EVEN_VOTERS',
      groupId,
      what: `group ${groupId} has ${voters.length} voters`,
      why: `it survives no more failures than with ${voters.length - 1}, and waits for one more of them`,
      todo: 'an odd number of voters',
    });
  }
  return findings;
}

function ofMembers(groupId: number, { group }: Copy): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { nodeId, isActive, matchIndex, state, snapshotSent } of group.replicas) {
    const lacks = group.commitIndex - matchIndex;
    if (!isActive) {
      findings.push({
        severity: 'error',
        code: 'MEMBER_NOT_HEARD',
        nodeId,
        groupId,
        what: `the leader of group ${groupId} does not hear node ${nodeId}`,
        why: 'it gets no entries and does not count towards a majority',
        todo: `see to node ${nodeId}, and to the way between the peer ports: shanghaictl nodes`,
      });
    } else if (lacks > 0 && group.isAsleep) {
      findings.push({
        severity: 'error',
        code: 'ASLEEP_BEHIND',
        nodeId,
        groupId,
        what: `group ${groupId} rests although node ${nodeId} lacks ${lacks} entries`,
        why: 'it gets them only when there is something to write',
        todo: 'write something; please report this, it should not be',
      });
    } else if (lacks > maxLagEntries || state === 'snapshot') {
      const how = snapshotSent === undefined ? state : `${state} ${Math.floor(snapshotSent * 100)} %`;
      findings.push({
        severity: 'warning',
        code: 'MEMBER_BEHIND',
        nodeId,
        groupId,
        what: `node ${nodeId} lacks ${Math.max(0, lacks)} entries of group ${groupId} (${how})`,
        why: 'while it is behind, one failure less is survived without waiting for it',
        todo: 'wait; where it does not catch up, see to its disk and network: shanghaictl replicas',
      });
    }
  }
  return findings;
}

function ofCopy(groupId: number, { nodeId, group }: Copy, leading: Copy): readonly Finding[] {
  const findings: Finding[] = [];
  const lag = leading.group.commitIndex - group.appliedIndex;
  if (lag > maxLagEntries) {
    findings.push({
      severity: 'warning',
      code: 'REPLICA_LAGGING',
      nodeId,
      groupId,
      what: `node ${nodeId} has ${lag} committed entries of group ${groupId} to apply`,
      why: 'reads there wait, or see what is old',
      todo: 'see to its disk and processor: shanghaictl replicas',
    });
  }
  if (group.state === 'failed') {
    findings.push({
      severity: 'error',
      code: 'REPLICA_FAILED',
      nodeId,
      groupId,
      what: `the copy of group ${groupId} on node ${nodeId} has failed`,
      why: 'it takes part in nothing any more',
      todo: 'read the log of the node, then start it again',
    });
  }
  const isMisled = group.leaderNodeId !== 0 && group.leaderNodeId !== leading.nodeId;
  if (isMisled && nodeId !== leading.nodeId) {
    findings.push({
      severity: 'warning',
      code: 'LEADER_DISPUTED',
      nodeId,
      groupId,
      what: `node ${nodeId} takes node ${group.leaderNodeId} for the leader of group ${groupId} (term ${group.term}), node ${leading.nodeId} leads it (term ${leading.group.term})`,
      why: 'for a moment that is normal; where it stays, the two do not reach each other',
      todo: 'ask again; then see to the way between their peer ports',
    });
  }
  return findings;
}
