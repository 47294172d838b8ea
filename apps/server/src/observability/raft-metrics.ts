import type { HostListener, SnapshotEvent, StateType } from '@shanghai/raft';
import type { Logger, Metrics } from '@shanghai/telemetry';

/** Roles as labels. */
const roleNames = {
  StateLeader: 'leader',
  StateFollower: 'follower',
  StateCandidate: 'candidate',
  StatePreCandidate: 'candidate',
} as const satisfies Record<StateType, string>;

/** Events of consensus → metrics and log lines. Groups are counted, not named: there may be thousands. */
export function observeRaft(metrics: Metrics, logger: Logger): Required<HostListener> {
  return {
    ...observeRoles(metrics, logger),
    ...observeProposals(metrics),
    ...observeSnapshots(metrics, logger),
    ...observeDisk(metrics, logger),
    ...observeSleep(metrics),
    ...observeClock(logger),
    configurationChanged: (event) => logger.info({ ...event }, 'the members of a group changed'),
    failed: ({ groupId, error }) => logger.error({ groupId, err: error }, 'consensus of a group cannot go on'),
  };
}

function observeRoles(metrics: Metrics, logger: Logger): Required<Pick<HostListener, 'roleChanged'>> {
  const groups = metrics.gauge({ name: 'raft_groups', help: 'Groups by this node’s part in them.', labels: ['role'] });
  const leaderless = metrics.gauge({ name: 'raft_groups_without_leader', help: 'Groups whose leader is not known.' });
  const changes = metrics
    .counter({ name: 'raft_leader_changes_total', help: 'Times that a group got another leader.' })
    .series();
  const elections = metrics
    .counter({ name: 'raft_elections_total', help: 'Times that this node asked to lead a group.' })
    .series();
  const known = new Map<number, { readonly role: string; readonly leaderId: number }>();
  // The last leader a group had, also while it has none: its return is no change.
  const lastLeaders = new Map<number, number>();
  return {
    roleChanged(event) {
      const { groupId, leaderId, term } = event;
      const role = roleNames[event.role];
      if (role === 'candidate' && known.get(groupId)?.role !== 'candidate') elections.add();
      known.set(groupId, { role, leaderId });
      const isFirst = !lastLeaders.has(groupId);
      if (leaderId !== 0 && lastLeaders.get(groupId) !== leaderId) {
        if (!isFirst) changes.add();
        lastLeaders.set(groupId, leaderId);
        // A node alone leads as soon as it is open, and the first line it writes says that it listens.
        const level = isFirst && role === 'leader' ? 'debug' : 'info';
        logger[level]({ groupId, role, leaderId, term }, 'a group has a leader');
      } else logger.debug({ groupId, role, leaderId, term }, 'the part in a group changed');
      const all = [...known.values()];
      for (const name of ['leader', 'follower', 'candidate']) {
        groups.set(all.filter((group) => group.role === name).length, { role: name });
      }
      leaderless.set(all.filter((group) => group.leaderId === 0).length);
    },
  };
}

function observeProposals(metrics: Metrics): Required<Pick<HostListener, 'applied' | 'compacted'>> {
  const stages = metrics.histogram({
    name: 'raft_proposal_seconds',
    help: 'Time of proposals by stage: queued, then synced here; committed and applied from the call on.',
    labels: ['stage'],
  });
  const queued = stages.series({ stage: 'queued' });
  const synced = stages.series({ stage: 'synced' });
  const committed = stages.series({ stage: 'committed' });
  const applied = stages.series({ stage: 'applied' });
  const proposals = metrics
    .counter({ name: 'raft_proposals_applied_total', help: 'Proposals of this node that were applied.' })
    .series();
  const compacted = metrics
    .counter({ name: 'raft_log_compacted_bytes_total', help: 'Bytes of log entries given up.' })
    .series();
  return {
    applied(event) {
      proposals.add(event.proposals);
      queued.observe(event.queuedMs / 1000);
      synced.observe(event.syncedMs / 1000);
      committed.observe(event.committedMs / 1000);
      applied.observe(event.appliedMs / 1000);
    },
    compacted: ({ bytes }) => compacted.add(bytes),
  };
}

function observeSnapshots(
  metrics: Metrics,
  logger: Logger,
): Required<Pick<HostListener, 'snapshotSent' | 'snapshotReceived'>> {
  const labels = ['direction', 'outcome'];
  const snapshots = metrics.counter({ name: 'raft_snapshots_total', help: 'Snapshots sent and received.', labels });
  const bytes = metrics.counter({
    name: 'raft_snapshot_bytes_total',
    help: 'Bytes of snapshots that arrived.',
    labels: ['direction'],
  });
  const seconds = metrics.histogram({
    name: 'raft_snapshot_seconds',
    help: 'How long snapshots that arrived took.',
    labels: ['direction'],
  });
  const observe = (direction: 'sent' | 'received', event: SnapshotEvent, peer: number) => {
    const { groupId, index, durationMs, error } = event;
    snapshots.series({ direction, outcome: error === undefined ? 'done' : 'failed' }).add();
    if (error !== undefined) {
      logger.warn({ groupId, index, peer, err: error }, `a snapshot could not be ${direction}; it is tried again`);
      return;
    }
    bytes.series({ direction }).add(event.bytes);
    seconds.series({ direction }).observe(durationMs / 1000);
    logger.info({ groupId, index, peer, bytes: event.bytes, durationMs }, `a snapshot was ${direction}`);
  };
  return {
    snapshotSent: (event) => observe('sent', event, event.to),
    snapshotReceived: (event) => observe('received', event, event.from),
  };
}

function observeDisk(
  metrics: Metrics,
  logger: Logger,
): Required<Pick<HostListener, 'diskStalled' | 'diskAnswered' | 'logFull' | 'logReopened'>> {
  const stalls = metrics
    .counter({
      name: 'raft_disk_stalls_total',
      help: 'Times that the disk was silent for longer than a leader may wait.',
    })
    .series();
  const stalled = metrics.gauge({ name: 'raft_disk_stalled', help: '1 while the disk does not answer.' });
  const stallSeconds = metrics
    .histogram({ name: 'raft_disk_stall_seconds', help: 'How long the disk was silent, of stalls that ended.' })
    .series();
  const full = metrics.gauge({ name: 'raft_logs_full', help: 'Groups for whose log there is no space.' });
  const fullTimes = metrics
    .counter({ name: 'raft_log_full_total', help: 'Times that there was no space for the log of a group.' })
    .series();
  const fullGroups = new Set<number>();
  return {
    diskStalled({ waitedMs }) {
      stalls.add();
      stalled.set(1);
      logger.error({ waitedMs }, 'the disk does not answer; this node leads nothing until it does');
    },
    diskAnswered({ waitedMs }) {
      stalled.set(0);
      stallSeconds.observe(waitedMs / 1000);
      logger.warn({ waitedMs }, 'the disk answers again');
    },
    logFull({ groupId }) {
      fullTimes.add();
      full.set(fullGroups.add(groupId).size);
      logger.error({ groupId }, 'the disk is full: the log of a group takes no entries');
    },
    logReopened({ groupId }) {
      fullGroups.delete(groupId);
      full.set(fullGroups.size);
      logger.warn({ groupId }, 'the log of a group has space again');
    },
  };
}

function observeSleep(metrics: Metrics): Required<Pick<HostListener, 'slept' | 'woken'>> {
  const asleep = metrics.gauge({ name: 'raft_groups_asleep', help: 'Groups that rest: no ticks, no messages.' });
  const groups = new Set<number>();
  return {
    slept({ groupId }) {
      asleep.set(groups.add(groupId).size);
    },
    woken({ groupId }) {
      groups.delete(groupId);
      asleep.set(groups.size);
    },
  };
}

function observeClock(logger: Logger): Required<Pick<HostListener, 'clockKnown' | 'clockOff' | 'clockAgrees'>> {
  return {
    clockKnown: () => logger.debug({}, 'enough other nodes have said what time it is'),
    clockOff: ({ offsetMs }) =>
      logger.error(
        { offsetMs: Math.round(offsetMs) },
        'the clock of this node is more than 10 s off those of the others and is not used for expiry; set it, and keep it set',
      ),
    clockAgrees: ({ offsetMs }) =>
      logger.warn({ offsetMs: Math.round(offsetMs) }, 'the clock of this node agrees with those of the others again'),
  };
}
