import type { ReplicationListener } from '@shanghai/replication';
import type { Logger, Metrics } from '@shanghai/telemetry';
import type { NodeReplication } from '../node.js';

const followerLabels = ['origin', 'node'] as const;

/** Shipping of multi-master logs → metrics and log lines. No labels but of few values: who it was about is in the log. */
export function observeReplication(metrics: Metrics, logger: Logger): ReplicationListener {
  const counter = (name: string, help: string) => metrics.counter({ name, help }).series();
  const shippedRuns = counter('replication_shipped_runs_total', 'Runs of entries sent to followers.');
  const shippedEntries = counter(
    'replication_shipped_entries_total',
    'Entries of multi-master logs sent to followers.',
  );
  const shippedBytes = counter('replication_shipped_bytes_total', 'Bytes of the entries sent to followers.');
  const receivedEntries = counter(
    'replication_received_entries_total',
    'Entries of multi-master logs that came from other nodes and are durable.',
  );
  const receivedBytes = counter('replication_received_bytes_total', 'Bytes of the entries that came from other nodes.');
  const blockedSeconds = counter(
    'replication_blocked_seconds_total',
    'How long in all there was something to send to a follower and no credit for it; counted when it ends.',
  );
  const events = metrics.counter({
    name: 'replication_events_total',
    help: 'What happened to the shipping of multi-master logs.',
    labels: ['type'],
  });
  const count = (type: string) => events.series({ type }).add(1);
  return {
    shipped(_follower, entries, bytes) {
      shippedRuns.add(1);
      shippedEntries.add(entries);
      shippedBytes.add(bytes);
    },
    received(_source, entries, bytes) {
      receivedEntries.add(entries);
      receivedBytes.add(bytes);
    },
    unblocked: (_follower, blockedMs) => blockedSeconds.add(blockedMs / 1000),
    ...observeSessions(logger, count),
    ...observeTrouble(logger, count),
  };
}

/** Logs and nodes of which divergence is told. */
const maxDiverged = 1_000;

type Count = (type: string) => void;

function observeSessions(logger: Logger, count: Count): ReplicationListener {
  return {
    connected(peer, role) {
      count('connected');
      logger.debug({ nodeId: peer, role }, 'multi-master logs: a session with another node stands');
    },
    disconnected(peer, role, reason) {
      count('disconnected');
      logger.debug({ nodeId: peer, role, reason }, 'multi-master logs: a session with another node has ended');
    },
    behind(origin, follower, state, lagEntries) {
      count(state);
      const level = state === 'stale' ? 'warn' : 'info';
      logger[level]({ origin, nodeId: follower, lagEntries }, `multi-master logs: a follower is ${state}`);
    },
    caughtUp(origin, follower) {
      count('caught_up');
      logger.info({ origin, nodeId: follower }, 'multi-master logs: a follower has caught up');
    },
  };
}

function observeTrouble(logger: Logger, count: Count): ReplicationListener {
  const diverged = new Set<string>();
  return {
    skipped(stream, firstSequence, source) {
      count('skipped');
      const text = 'multi-master logs: entries that others have trimmed will not come any more, and are passed over';
      logger.warn({ ...stream, firstSequence, nodeId: source }, text);
    },
    unreadable(stream, sequence, follower, error) {
      count('unreadable');
      const text = 'multi-master logs: an entry cannot be read for a follower; it is tried again, other streams go on';
      logger.error({ ...stream, sequence, nodeId: follower, err: error }, text);
    },
    reverted(stream, ownSequence, peer, peerSequence, newEpoch) {
      count('reverted');
      const text =
        'multi-master logs: another node holds entries of this one that it does not hold itself; it goes on in a new epoch';
      logger.warn({ ...stream, ownSequence, nodeId: peer, peerSequence, newEpoch }, text);
    },
    diverged(stream, sequence, peer) {
      count('diverged');
      // Sessions are dialled again and again; people need to be told once.
      const what = `${stream.logId}/${stream.origin}/${peer}`;
      if (diverged.has(what) || diverged.size >= maxDiverged) return;
      diverged.add(what);
      const text =
        'multi-master logs: another node holds another entry of the same name; nothing is fetched from it or shipped to it';
      logger.error({ ...stream, sequence, nodeId: peer }, text);
    },
  };
}

/** What each follower lacks of each origin, as this node sees it, and how far behind readers in the order of time are. */
export function showReplication(
  metrics: Metrics,
  replication: Pick<NodeReplication, 'status' | 'watermarkAgeMs'> | undefined,
): void {
  if (replication === undefined) return;
  const gauge = (name: string, help: string) => metrics.gauge({ name, help, labels: followerLabels });
  const entries = gauge('replication_lag_entries', 'Entries of an origin that a follower lacks, as this node sees it.');
  const seconds = gauge('replication_lag_seconds', 'For how long it has lacked something; 0 where it lacks nothing.');
  const healthy = gauge('replication_healthy', '1 where a follower keeps up with an origin.');
  const credit = metrics.gauge({
    name: 'replication_credit_bytes',
    help: 'What may still be sent to a follower before it grants more.',
    labels: ['node'],
  });
  const watermark = metrics.gauge({
    name: 'replication_watermark_age_seconds',
    help: 'How far behind the clock readers in the order of time are, of the log where that is most; absent while it is not known.',
  });
  let shown: readonly Readonly<Record<string, string>>[] = [];
  let granted: readonly Readonly<Record<string, string>>[] = [];
  metrics.beforeCollect(() => {
    for (const one of shown) for (const metric of [entries, seconds, healthy]) metric.remove(one);
    for (const one of granted) credit.remove(one);
    const { followers = [], shipping = [] } = replication.status() ?? {};
    shown = followers.map(({ origin, follower, lagEntries, lagMs, state }) => {
      const label = { origin: String(origin), node: String(follower) };
      entries.set(lagEntries, label);
      seconds.set(lagMs / 1000, label);
      healthy.set(state === 'healthy' ? 1 : 0, label);
      return label;
    });
    granted = shipping.map(({ follower, creditBytes }) => {
      const label = { node: String(follower) };
      credit.set(creditBytes, label);
      return label;
    });
    const ageMs = replication.watermarkAgeMs();
    if (ageMs === undefined) watermark.remove({});
    else watermark.set(ageMs / 1000);
  });
}
