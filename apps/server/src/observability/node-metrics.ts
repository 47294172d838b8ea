import { doublingBuckets, type Logger, type Metrics } from '@shanghai/telemetry';
import type { NodeStatus } from '../node.js';
import type { NodeListener } from '../node-events.js';

/** Events of the node → metrics and log lines. `onFailed` is called when a group cannot go on. */
export function observeNode(metrics: Metrics, logger: Logger, onFailed: (error: Error) => void): NodeListener {
  const runs = metrics
    .histogram({ name: 'apply_run_entries', help: 'Entries applied as one.', buckets: doublingBuckets(1, 15) })
    .series();
  const operations = metrics.counter({ name: 'apply_operations_total', help: 'Store operations applied.' }).series();
  const runSeconds = metrics.histogram({ name: 'apply_run_seconds', help: 'Applying entries as one.' }).series();
  const sessionsEnded = metrics
    .counter({ name: 'sessions_ended_total', help: 'Sessions that expired or were evicted.' })
    .series();
  const checkpoints = metrics.histogram({ name: 'checkpoint_seconds', help: 'Checkpoints of groups.' }).series();
  const failures = metrics.counter({ name: 'checkpoint_failures_total', help: 'Checkpoints that failed.' }).series();
  return {
    applied(event) {
      runs.observe(event.entries);
      runSeconds.observe(event.durationMs / 1000);
      operations.add(event.operations);
      sessionsEnded.add(event.sessionsEnded);
    },
    checkpointed({ groupId, durableAppliedIndex, durationMs }) {
      checkpoints.observe(durationMs / 1000);
      logger.debug({ groupId, durableAppliedIndex, durationMs }, 'checkpoint');
    },
    checkpointFailed({ error }) {
      failures.add();
      logger.error({ err: error }, 'a checkpoint failed; nothing is lost, the log is kept');
    },
    replayed(event) {
      // One entry is the term that every start begins.
      if (event.entries > 1) logger.debug({ ...event }, 'entries of the log were applied again');
    },
    instanceRenewed: (event) => logger.warn({ ...event }, 'the data directory was copied or repaired: new instance id'),
    logShortened: (event) => logger.warn({ ...event }, 'entries acknowledged without a sync are gone'),
    logDamaged: ({ logId, directory, error }) =>
      logger.error({ logId, directory, err: error }, 'a named log is damaged and refused; other logs and keys go on'),
    replicationFailed: replicationFailedOnce(logger),
    ...observeLogUpkeep(metrics, logger),
    logTornTail: (event) => logger.warn({ ...event }, 'a torn tail of a named log was cut off and copied aside'),
    membersPlanned: (event) => logger.info({ ...event }, 'the members of a group change'),
    failed({ groupId, error }) {
      logger.fatal({ groupId, err: error }, 'a group cannot go on');
      onFailed(error);
    },
  };
}

function replicationFailedOnce(logger: Logger): NonNullable<NodeListener['replicationFailed']> {
  let last = '';
  return ({ error }) => {
    // It is tried every second; people need to be told once.
    if (error.message === last) return;
    last = error.message;
    logger.warn({ err: error }, 'multi-master logs: what is to be done cannot be done now');
  };
}

/** Retention and compaction of named logs. */
function observeLogUpkeep(metrics: Metrics, logger: Logger): NodeListener {
  const counter = (name: string, help: string) => metrics.counter({ name, help }).series();
  const trims = counter('log_trims_total', 'Times that entries beyond the retention of a named log were given up.');
  const retentionFailures = counter('log_retention_failures_total', 'Logs whose retention failed.');
  const compactions = counter('log_compactions_total', 'Times that this node, leading a group, compacted a log of it.');
  const hidden = counter('log_compacted_entries_total', 'Entries of named logs hidden by compaction.');
  const thinned = counter('log_segments_thinned_total', 'Segments written again without the values of hidden entries.');
  const compactionFailures = counter('log_compaction_failures_total', 'Logs whose compaction failed.');
  return {
    logTrimmed(event) {
      trims.add();
      logger.debug({ ...event }, 'entries of a log are beyond its retention');
    },
    retentionFailed({ logId, error }) {
      retentionFailures.add();
      logger.error({ logId, err: error }, "a log's retention failed; the log keeps its entries");
    },
    logCompacted(event) {
      compactions.add();
      hidden.add(event.hiddenEntries);
      logger.debug({ ...event }, 'a log was compacted');
    },
    logSegmentThinned(event) {
      thinned.add();
      logger.debug({ ...event }, 'a segment of a log was written again without hidden entries');
    },
    compactionFailed({ logId, error }) {
      compactionFailures.add();
      const text = "a log's compaction failed; the log keeps its entries, and it is tried again";
      logger.error({ logId, err: error }, text);
    },
  };
}

/** Gauges from the node's status, read before every exposition. */
export function exposeStatus(metrics: Metrics, version: string, status: () => NodeStatus): void {
  const groupLabels = ['group'];
  const gauge = (name: string, help: string, labels: readonly string[] = []) => metrics.gauge({ name, help, labels });
  const info = gauge('node_info', 'Always 1; the labels say which node and version.', [
    'version',
    'node',
    'durability',
  ]);
  const keys = gauge('store_keys', 'Keys in the key directories, expired ones included.');
  const live = gauge('store_live_bytes', 'Bytes of records that count.');
  const dead = gauge('store_dead_bytes', 'Bytes that merges can give back.');
  const segments = gauge('store_segments', 'Data files.');
  const directory = gauge('store_key_directory_bytes', 'Memory of the key directories.');
  const hits = gauge('cache_hits', 'Reads answered from the value cache since the start.');
  const misses = gauge('cache_misses', 'Reads that were not.');
  const walBytes = gauge('wal_bytes', 'Bytes of the write-ahead log.');
  const walSegments = gauge('wal_segments', 'Files of the write-ahead log.');
  const leader = gauge('group_has_leader', '1 where the group has a leader.', groupLabels);
  const applied = gauge('group_applied_index', 'Last entry applied.', groupLabels);
  const durable = gauge('group_durable_applied_index', 'Last entry whose effects are synced.', groupLabels);
  const sessions = gauge('group_sessions', 'Open sessions.', groupLabels);
  const term = gauge('group_term', 'Term of the group.', groupLabels);
  const commit = gauge('group_commit_index', 'Last entry that a majority has.', groupLabels);
  const logBytes = gauge('group_log_bytes', 'Bytes of the entries of the log that are kept.', groupLabels);
  const behind = gauge(
    'replica_lag_entries',
    'Entries a member lacks, as its leader sees it: only where this node leads.',
    [...groupLabels, 'node'],
  );
  const clockOffset = gauge(
    'clock_offset_seconds',
    'How far the clock of this node is ahead of most of the others; 0 while too few were heard.',
  );
  const clockAlarm = gauge('clock_alarm', '1 while the clock of this node is too far off to be used for expiry.');
  const waiting = gauge('wal_waiting_seconds', 'How long the oldest write has been waiting for the disk.');
  let shown: readonly Readonly<Record<string, string>>[] = [];
  metrics.beforeCollect(() => {
    const { nodeName, storage, wal, groups, clockOffsetMs = 0, clockAlarm: isOff = false } = status();
    info.set(1, { version, node: nodeName, durability: wal.durability });
    keys.set(storage.keys);
    live.set(storage.liveBytes);
    dead.set(storage.deadBytes);
    segments.set(storage.segments);
    directory.set(storage.keyDirectoryBytes);
    hits.set(storage.cacheHits);
    misses.set(storage.cacheMisses);
    walBytes.set(wal.bytes);
    walSegments.set(wal.segments);
    clockOffset.set(clockOffsetMs / 1000);
    clockAlarm.set(isOff ? 1 : 0);
    waiting.set((wal.waitingMs ?? 0) / 1000);
    for (const labels of shown) behind.remove(labels);
    const members: Readonly<Record<string, string>>[] = [];
    for (const group of groups) {
      const label = { group: String(group.groupId) };
      leader.set(group.leaderNodeId === 0 ? 0 : 1, label);
      applied.set(group.appliedIndex, label);
      durable.set(group.durableAppliedIndex, label);
      sessions.set(group.sessions, label);
      term.set(group.term, label);
      commit.set(group.commitIndex, label);
      logBytes.set(group.consensus?.logBytes ?? 0, label);
      for (const { nodeId, matchIndex } of group.consensus?.replicas ?? []) {
        const labels = { ...label, node: String(nodeId) };
        members.push(labels);
        behind.set(Math.max(0, group.lastIndex - matchIndex), labels);
      }
    }
    shown = members;
  });
}
