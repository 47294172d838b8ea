/** `/status` and the probes. */
import type { HealthReport } from '@shanghai/telemetry';
import type { NodeStatus } from '../../node.js';
import { ServerError } from '../../requests/server-error.js';
import type { ApiServices } from '../api-services.js';
import { clusterCondition } from '../cluster-condition.js';
import { type HttpAnswer, type HttpRoute, httpRoute } from './http-route.js';

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
      state: clusterCondition(status),
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

function readiness(services: ApiServices): HealthReport {
  const checks = services.node.readiness();
  return { ok: checks.every((check) => check.ok), checks };
}

function probe(statusCode: number, body: object): HttpAnswer {
  return { statusCode, contentType: 'application/json; charset=utf-8', text: `${JSON.stringify(body)}\n` };
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
    path: '/health',
    summary: '200 while the node takes requests, else 503 with the checks that failed.',
    parameters: {},
    answers: { 200: 'Healthy.' },
    allOrigins: true,
    async handle(_request, _context, services) {
      const { ok, checks } = readiness(services);
      if (ok) return { data: { status: 'healthy', checks } };
      const failed = checks.filter((check) => !check.ok).map((check) => check.name);
      throw new ServerError('SERVICE_UNAVAILABLE', `not healthy: ${failed.join(', ')}`, { details: { checks } });
    },
  }),
  httpRoute({
    method: 'GET',
    path: '/livez',
    summary: '200 while the process answers at all. Never depends on peers or disks.',
    parameters: {},
    answers: { 200: 'Alive.' },
    allOrigins: false,
    handle: async () => probe(200, { status: 'alive' }),
  }),
  httpRoute({
    method: 'GET',
    path: '/readyz',
    summary: '200 when every named check holds, else 503.',
    parameters: {},
    answers: { 200: 'Ready.' },
    allOrigins: false,
    async handle(_request, _context, services) {
      const { ok, checks } = readiness(services);
      return probe(ok ? 200 : 503, { status: ok ? 'ready' : 'not_ready', checks });
    },
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
