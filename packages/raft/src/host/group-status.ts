import type { GroupDriver } from './group-driver.js';
import type { GroupStatus, ReplicaStatus } from './raft-group.js';

/** Where a group stands here. */
export function groupStatus(driver: GroupDriver<unknown>): GroupStatus {
  const { groupId, log, marks, state, proposals, sleeper, options, raw } = driver;
  const confState = state.configuration;
  const { nodeId } = driver.host;
  return {
    groupId,
    role: marks.state,
    isLearner: confState.learners.includes(nodeId),
    leaderId: marks.lead,
    term: raw === undefined ? log.initialState().hardState.term : marks.term,
    firstIndex: log.firstIndex(),
    lastIndex: raw === undefined ? log.lastIndex() : raw.marks().lastIndex,
    commitIndex: raw?.marks().commit ?? options.machine.appliedIndex,
    appliedIndex: options.machine.appliedIndex,
    logBytes: log.bytes,
    configuration: confState,
    replicas: replicasOf(driver),
    proposalsInFlight: proposals.count,
    isAsleep: sleeper.isAsleep,
    awaits: driver.beginning.isAwaited() ? driver.beginning.unheard() : [],
    leaderHeardMsAgo: leaderHeardMsAgo(driver),
    state: stateOf(driver),
  };
}

function stateOf({ isClosed, failure, core, host }: GroupDriver<unknown>): GroupStatus['state'] {
  if (isClosed) return 'closed';
  if (failure !== undefined) return 'failed';
  if (core === undefined) return 'full';
  if (core.appends.isRestoring) return 'restoring';
  return host.isStalled ? 'stalled' : 'open';
}

function replicasOf({ raw, marks, host, snapshots, sleeper }: GroupDriver<unknown>): readonly ReplicaStatus[] {
  if (raw === undefined || marks.state !== 'StateLeader') return [];
  const electionMs = host.limits.electionTicks * host.limits.tickMs;
  const others = raw.status().progress.filter(({ id }) => id !== host.nodeId);
  return others.map(({ id, state, match, isLearner, recentActive }) => {
    const heardMs = host.heardMs(id);
    const isHeard = heardMs !== undefined && host.clock.monotonicMs() - heardMs <= electionMs;
    return {
      nodeId: id,
      state,
      matchIndex: match,
      isLearner,
      // Asleep nobody answers, and what was so before the group fell asleep stays: the beats of the node tell.
      isActive: isHeard || (recentActive && !sleeper.isAsleep),
      snapshotSent: snapshots.shareSent(id),
    };
  });
}

/** Of a group that sleeps its leader's node speaks. */
function leaderHeardMsAgo({ core, marks, host, sleeper }: GroupDriver<unknown>): number | undefined {
  if (marks.state === 'StateLeader') return 0;
  const heardMs = sleeper.isAsleep ? host.heardMs(marks.lead) : core?.leaderHeardMs;
  return heardMs === undefined ? undefined : host.clock.monotonicMs() - heardMs;
}
