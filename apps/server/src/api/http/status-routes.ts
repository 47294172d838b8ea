/** `/status` and the probes. */
import type { NodeStatus } from '../../node.js';
import type { ApiServices } from '../api-services.js';
import { type HttpRoute, httpRoute } from './http-route.js';

/** Share of cache reads that were answered from the cache, 0 where there were none. */
export function hitRate({ cacheHits, cacheMisses }: NodeStatus['storage']): number {
  const reads = cacheHits + cacheMisses;
  return reads === 0 ? 0 : cacheHits / reads;
}

/** What `/status` shows. */
export function statusFields(services: ApiServices): Record<string, unknown> {
  const status = services.node.status();
  const { storage } = status;
  const data = status.groups.find((group) => group.groupId !== 0) ?? status.groups[0];
  const rates = services.requests.rates.summary();
  return {
    version: services.version,
    node_id: status.nodeId,
    node_name: status.nodeName,
    cluster_id: status.clusterId,
    uptime_ms: Math.max(0, Math.trunc(services.nowMs() - status.startedAtMs)),
    storage: {
      segments: storage.segments,
      keys: storage.keys,
      bytes: storage.liveBytes + storage.deadBytes,
      live_bytes: storage.liveBytes,
      dead_bytes: storage.deadBytes,
      stale_ratio: storage.staleRatio,
      durability: status.wal.durability,
      merge_state: storage.mergeState,
      last_checkpoint_ms: storage.lastCheckpointMs,
    },
    cache: {
      entries: storage.cacheEntries,
      hits: storage.cacheHits,
      misses: storage.cacheMisses,
      hit_rate: hitRate(storage),
    },
    cluster: {
      state: services.health.cluster(status).state,
      role: data?.role ?? 'follower',
      leader: data?.leaderNodeId ?? 0,
      term: data?.term ?? 0,
      commit_index: data?.commitIndex ?? 0,
    },
    performance: {
      operations_per_second: rates.operationsPerSecond,
      latency_ms: { p50: rates.p50Ms, p99: rates.p99Ms },
    },
  };
}

/** Routes that say how the node is. */
export const statusRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'GET',
    path: '/status',
    summary: 'How the node is: storage, cache, cluster, request rates of the last ten seconds.',
    parameters: {},
    answers: { 200: 'The status.' },
    allOrigins: true,
    handle: async (_request, _context, services) => ({ data: statusFields(services) }),
  }),
  httpRoute({
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics in Prometheus text form.',
    parameters: {},
    answers: { 200: 'The metrics.' },
    allOrigins: false,
    handle: async (_request, _context, { metrics }) => ({
      text: await metrics.text(),
      contentType: metrics.contentType,
    }),
  }),
];
