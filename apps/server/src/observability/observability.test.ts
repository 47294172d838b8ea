import { createLogger, createMetrics } from '@shanghai/telemetry';
import { describe, expect, it } from 'vitest';
import type { NodeStatus } from '../node.js';
import { observeHealth } from './health-metrics.js';
import { exposeStatus, observeNode } from './node-metrics.js';
import { observePeers } from './peer-metrics.js';
import { observeRaft } from './raft-metrics.js';
import { createRequestMetrics } from './request-metrics.js';
import { observeStores } from './store-metrics.js';
import { observeWal } from './wal-metrics.js';

function observed() {
  const lines: string[] = [];
  const failures: Error[] = [];
  const metrics = createMetrics();
  const logger = createLogger({ level: 'debug', write: (line) => void lines.push(line) });
  const onFailed = (error: Error) => void failures.push(error);
  return { lines, failures, metrics, logger, onFailed };
}

describe('events become metrics and lines', () => {
  it('of the log', async () => {
    const { lines, failures, metrics, logger, onFailed } = observed();
    const listener = observeWal(metrics, logger, onFailed);
    listener.synced?.({ records: 3, bytes: 400, writeMs: 0.05, syncMs: 0.3 });
    listener.segmentOpened?.({ segment: 's', bytes: 1, recycled: true });
    listener.queueFull?.({ queuedBytes: 1 });
    listener.tornTail?.({ segment: 's', offset: 1, bytes: 2, copy: 'c' });
    const text = await metrics.text();
    expect(text).toContain('shanghai_wal_sync_seconds_bucket{le="0.0002"} 0');
    expect(text).toContain('shanghai_wal_sync_seconds_bucket{le="0.0004"} 1');
    expect(text).toContain('shanghai_wal_sync_records_sum 3');
    expect(text).toContain('shanghai_wal_sync_bytes_sum 400');
    expect(text).toContain('shanghai_wal_segments_opened_total{recycled="true"} 1');
    expect(text).toContain('shanghai_wal_queue_full_total 1');
    expect(lines.some((line) => JSON.parse(line).level === 'warn' && line.includes('torn tail'))).toBe(true);
    expect(failures).toEqual([]);
  });

  it('and what cannot go on stops the process', () => {
    const { lines, failures, metrics, logger, onFailed } = observed();
    const error = new Error('EIO');
    observeWal(metrics, logger, onFailed).poisoned?.({ error });
    observeStores(metrics, logger, onFailed).poisoned?.({ error });
    observeNode(metrics, logger, onFailed).failed?.({ groupId: 1, error });
    expect(failures).toEqual([error, error, error]);
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(['fatal', 'fatal', 'fatal']);
  });

  it('of peers: a stranger who gives himself out for another each time does not fill the log', () => {
    const lines: string[] = [];
    const logger = createLogger({ level: 'info', write: (line) => void lines.push(line) });
    const peers = observePeers(createMetrics(), logger);
    for (let i = 0; i < 10_000; i++) {
      peers.refused?.({
        nodeId: i,
        lane: 'log',
        direction: 'in',
        address: 'a:1',
        isByPeer: false,
        reason: `it is of cluster '${i}'`,
      });
    }
    expect(lines.length).toBeGreaterThan(60);
    expect(lines.length).toBeLessThan(100);
  });
  it('of peers: one that is refused for ever is counted each time and does not fill the log', async () => {
    const { lines, metrics, logger } = observed();
    const peers = observePeers(metrics, logger);
    const refused = { nodeId: 3, lane: 'log', direction: 'in', address: 'a:1', isByPeer: false } as const;
    for (let i = 0; i < 100; i++) peers.refused?.({ ...refused, reason: 'another instance' });
    peers.refused?.({ ...refused, reason: 'another cluster' });
    const warned = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 'warn');
    expect(warned.map(({ times }) => times)).toEqual([1, 2, 4, 8, 16, 32, 64, 1]);
    expect(await metrics.text()).toContain('shanghai_peer_refusals_total 101');
  });

  it('of consensus: how long each stage took, who leads, what travels, what the disk does', async () => {
    const { lines, metrics, logger } = observed();
    const raft = observeRaft(metrics, logger);
    raft.applied({ groupId: 1, proposals: 3, queuedMs: 0.1, syncedMs: 0.5, committedMs: 0.9, appliedMs: 1.5 });
    const term = { groupId: 1, term: 1 };
    raft.roleChanged({ ...term, role: 'StateFollower', leaderId: 2 });
    raft.roleChanged({ ...term, role: 'StatePreCandidate', leaderId: 0 });
    raft.roleChanged({ ...term, role: 'StateCandidate', leaderId: 0 });
    raft.roleChanged({ ...term, role: 'StateFollower', leaderId: 2 });
    raft.roleChanged({ groupId: 2, term: 1, role: 'StateCandidate', leaderId: 0 });
    raft.roleChanged({ ...term, role: 'StateLeader', leaderId: 1 });
    const snapshot = { groupId: 1, index: 9, bytes: 500, durationMs: 20 };
    raft.snapshotSent({ ...snapshot, to: 2 });
    raft.snapshotReceived({ ...snapshot, from: 2, error: new Error('broken off') });
    raft.diskStalled({ waitedMs: 1_000 });
    raft.logFull({ groupId: 1 });
    raft.logFull({ groupId: 2 });
    raft.logReopened({ groupId: 1 });
    raft.slept({ groupId: 1 });
    const text = await metrics.text();
    expect(text).toContain('shanghai_raft_proposal_seconds_bucket{le="0.0001",stage="queued"} 1');
    expect(text).toContain('shanghai_raft_proposal_seconds_bucket{le="0.0004",stage="synced"} 0');
    expect(text).toContain('shanghai_raft_proposal_seconds_bucket{le="0.0016",stage="committed"} 1');
    expect(text).toContain('shanghai_raft_proposal_seconds_bucket{le="0.0008",stage="applied"} 0');
    expect(text).toContain('shanghai_raft_proposals_applied_total 3');
    expect(text).toContain('shanghai_raft_groups{role="leader"} 1');
    expect(text).toContain('shanghai_raft_groups{role="candidate"} 1');
    expect(text).toContain('shanghai_raft_groups{role="follower"} 0');
    expect(text).toContain('shanghai_raft_groups_without_leader 1');
    // The return of a leader is no change; an election of a round and its pre-vote is one.
    expect(text).toContain('shanghai_raft_leader_changes_total 1');
    expect(text).toContain('shanghai_raft_elections_total 2');
    expect(text).toContain('shanghai_raft_snapshots_total{direction="sent",outcome="done"} 1');
    expect(text).toContain('shanghai_raft_snapshots_total{direction="received",outcome="failed"} 1');
    expect(text).toContain('shanghai_raft_snapshot_bytes_total{direction="sent"} 500');
    expect(text).toContain('shanghai_raft_disk_stalled 1');
    expect(text).toContain('shanghai_raft_logs_full 1');
    expect(text).toContain('shanghai_raft_groups_asleep 1');
    raft.diskAnswered({ waitedMs: 1_500 });
    raft.woken({ groupId: 1 });
    const later = await metrics.text();
    expect(later).toContain('shanghai_raft_disk_stalled 0');
    expect(later).toContain('shanghai_raft_disk_stall_seconds_sum 1.5');
    expect(later).toContain('shanghai_raft_groups_asleep 0');
    const levels = lines.map((line) => JSON.parse(line)).map(({ level, msg }) => `${level}: ${msg}`);
    expect(levels).toContain('error: the disk does not answer; this node leads nothing until it does');
    expect(levels).toContain('warn: a snapshot could not be received; it is tried again');
  });

  it('of stores and groups', async () => {
    const { lines, metrics, logger, onFailed } = observed();
    const stores = observeStores(metrics, logger, onFailed);
    const bytes = { bytesBefore: 100, bytesAfter: 40, segmentsMerged: 3, recordsCopied: 2 };
    stores.merged?.({ ...bytes, tombstonesDropped: 1, durationMs: 20 });
    stores.mergeFailed?.({ error: new Error('x') });
    const node = observeNode(metrics, logger, onFailed);
    node.applied?.({ groupId: 1, entries: 4, operations: 9, durationMs: 2, sessionsEnded: 1 });
    node.replayed?.({ groupId: 1, entries: 1, durationMs: 1 });
    node.checkpointFailed?.({ error: new Error('x') });
    const text = await metrics.text();
    expect(text).toContain('shanghai_store_merges_total{outcome="done"} 1');
    expect(text).toContain('shanghai_store_merges_total{outcome="failed"} 1');
    expect(text).toContain('shanghai_store_merge_reclaimed_bytes_total 60');
    expect(text).toContain('shanghai_apply_run_entries_bucket{le="4"} 1');
    expect(text).toContain('shanghai_apply_operations_total 9');
    expect(text).toContain('shanghai_sessions_ended_total 1');
    expect(text).toContain('shanghai_checkpoint_failures_total 1');
    expect(lines.join('')).not.toContain('applied again');
    node.replayed?.({ groupId: 1, entries: 500, durationMs: 1 });
    expect(lines.join('')).toContain('applied again');
  });

  it('of what other members lack: where this node leads, and nowhere else', async () => {
    const { metrics } = observed();
    const replicas = [{ nodeId: 2, matchIndex: 7, state: 'StateReplicate', isLearner: false, isActive: true }];
    const indexes = { appliedIndex: 9, durableAppliedIndex: 9, commitIndex: 9, lastIndex: 9, term: 1, sessions: 0 };
    const group = { groupId: 1, leaderNodeId: 1, consensus: { replicas, logBytes: 0 }, ...indexes };
    const sizes = {
      keys: 0,
      liveBytes: 0,
      deadBytes: 0,
      segments: 0,
      keyDirectoryBytes: 0,
      cacheHits: 0,
      cacheMisses: 0,
    };
    const wal = { durability: 'always', bytes: 0, segments: 1 };
    const status = { nodeName: 'n', storage: sizes, wal, groups: [group] };
    exposeStatus(metrics, '1.2.3', () => status as unknown as NodeStatus);
    expect(await metrics.text()).toContain('shanghai_replica_lag_entries{group="1",node="2"} 2');
    group.consensus.replicas = [];
    expect(await metrics.text()).not.toContain('shanghai_replica_lag_entries{');
  });

  it('of health: every check, and the state of the cluster', async () => {
    const { lines, metrics, logger } = observed();
    const health = observeHealth(metrics, logger);
    health.looked?.({ checks: [{ name: 'space', ok: false, detail: 'full', sinceMs: 0 }], state: 'degraded' });
    const text = await metrics.text();
    expect(text).toContain('shanghai_readiness_check{check="space"} 0');
    expect(text).toContain('shanghai_cluster_state 1');
    const reasons = [{ state: 'unavailable' as const, groupId: 1, text: 'group 1 has no leader' }];
    health.clusterChanged?.({ state: 'unavailable', reasons });
    health.clusterChanged?.({ state: 'healthy', reasons: [] });
    health.clusterChanged?.({ state: 'unavailable', reasons });
    const levels = lines.map((line) => JSON.parse(line)).map(({ level, msg }) => `${level}: ${msg}`);
    expect(levels.filter((line) => line.startsWith('warn'))).toEqual(['warn: the cluster is not healthy']);
  });

  it('of requests, counted by outcome, and of streams, which open and close once', async () => {
    const { metrics } = observed();
    const clock = { nowMs: 0 };
    const requests = createRequestMetrics(metrics, () => clock.nowMs);
    const recorder = requests.recorder('grpc', 'KeyValue/Get');
    clock.nowMs = 3;
    recorder.finished(0, 'OK');
    recorder.finished(0, 'CONFLICT');
    const first = requests.streamOpened('Log/Tail');
    requests.streamOpened('Log/Tail');
    first();
    first();
    const text = await metrics.text();
    expect(text).toContain('shanghai_requests_total{api="grpc",method="KeyValue/Get",code="CONFLICT"} 1');
    expect(text).toContain('shanghai_request_duration_seconds_bucket{le="0.0032",api="grpc",method="KeyValue/Get"} 2');
    expect(text).toContain('shanghai_open_streams{method="Log/Tail"} 1');
  });
});
