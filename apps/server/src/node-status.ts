import type { Wal } from '@shanghai/wal';
import { statePrefix } from './apply/state-keys.js';
import type { EngineStats } from './engine/storage-engine.js';
import type { GroupStatus, StorageStatus, WalStatus } from './node.js';
import type { Replica } from './raft/replica.js';

/** A group as `status` shows it. */
export function groupStatus(replica: Replica, slots: number): GroupStatus {
  const { role, leaderNodeId, term, commitIndex, firstIndex, lastIndex, raft, ...log } = replica.log.status();
  const { isLearner, isAsleep, logBytes, state, leaderHeardMsAgo, replicas, configuration, proposalsInFlight } = raft;
  // The log may have room while what is applied has none.
  const isFull = state === 'open' && log.state === 'full';
  const { appliedIndex, revision, logTimeMs } = replica.machine.visible;
  return {
    groupId: replica.groupId,
    role,
    leaderNodeId,
    term,
    commitIndex,
    appliedIndex,
    durableAppliedIndex: replica.durableAppliedIndex,
    firstIndex,
    lastIndex,
    revision,
    logTimeMs,
    sessions: replica.machine.sessions.size,
    slots,
    consensus: {
      isLearner,
      isAsleep,
      logBytes,
      state: isFull ? 'full' : state,
      leaderHeardMsAgo,
      replicas,
      configuration,
      proposalsInFlight,
    },
  };
}

/** The stores of all groups, added up. */
export function storageStatus(replicas: readonly Replica[]): StorageStatus {
  const stats = replicas.map(({ store }) => store.stats());
  const sum = (pick: (one: EngineStats) => number) => stats.reduce((total, one) => total + pick(one), 0);
  const liveBytes = sum((one) => one.liveBytes);
  const deadBytes = sum((one) => one.deadBytes);
  const states = stats.map((one) => one.merge.state);
  return {
    keys: sum((one) => one.keysByFirstByte[statePrefix.data] ?? 0),
    segments: sum((one) => one.segments),
    liveBytes,
    deadBytes,
    staleRatio: liveBytes + deadBytes === 0 ? 0 : deadBytes / (liveBytes + deadBytes),
    keyDirectoryBytes: sum((one) => one.keydirBytes),
    cacheEntries: sum((one) => one.cache.entries),
    cacheHits: sum((one) => one.cache.hits),
    cacheMisses: sum((one) => one.cache.misses),
    durability: stats[0]?.durability ?? 'never',
    mergeState: states.find((state) => state !== 'idle') ?? 'idle',
    lastCheckpointMs: Math.max(0, ...stats.map((one) => one.lastCheckpointMs)),
  };
}

/** The write-ahead log. */
export function walStatus(wal: Wal): WalStatus {
  const { firstLsn, lastLsn, durableLsn, segments, bytes, durability, lastSyncMs, syncs } = wal.info();
  return { firstLsn, lastLsn, durableLsn, segments, bytes, durability, lastSyncMs, syncs };
}
