/** `/api/v1`: for operators and their tools, never for pages of other origins. */
import { z } from 'zod';
import type { GroupStatus, NodeStatus } from '../../node.js';
import { type ApiServices, defaultDrainMs } from '../api-services.js';
import { clusterCondition } from '../cluster-condition.js';
import { closedObject } from './closed-object.js';
import { type HttpRoute, httpRoute } from './http-route.js';
import { statusFields } from './status-routes.js';

const maxDrainMs = 600_000;

const shutdownBody = closedObject({
  drain_ms: z.int().min(0).max(maxDrainMs).optional(),
  force: z.boolean().optional(),
});

function nodeFields(status: NodeStatus, services: ApiServices): Record<string, unknown> {
  const { http, grpc, peer } = services.addresses();
  return {
    id: status.nodeId,
    name: status.nodeName,
    instance_id: status.instanceId,
    status: 'up',
    http_address: http,
    grpc_address: grpc,
    peer_address: peer,
  };
}

function groupFields(group: GroupStatus): Record<string, unknown> {
  return {
    id: group.groupId,
    role: group.role,
    leader: group.leaderNodeId,
    term: group.term,
    commit_index: group.commitIndex,
    applied_index: group.appliedIndex,
    durable_applied_index: group.durableAppliedIndex,
    first_index: group.firstIndex,
    last_index: group.lastIndex,
    revision: group.revision,
    log_time_ms: group.logTimeMs,
    sessions: group.sessions,
    slots: group.slots,
  };
}

/** Routes of the admin API. */
export const adminRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'GET',
    path: '/api/v1/status',
    summary: 'The cluster as this node knows it, with groups and write-ahead log.',
    parameters: {},
    answers: { 200: 'The status.' },
    allOrigins: false,
    async handle(_request, _context, services) {
      const status = services.node.status();
      const { wal } = status;
      return {
        data: {
          cluster_state: clusterCondition(status),
          node_count: 1,
          nodes_up: 1,
          nodes_suspect: 0,
          nodes_down: 0,
          local_node_id: status.nodeId,
          ...statusFields(services),
          groups: status.groups.map(groupFields),
          wal: {
            first_lsn: wal.firstLsn,
            last_lsn: wal.lastLsn,
            durable_lsn: wal.durableLsn,
            segments: wal.segments,
            bytes: wal.bytes,
            durability: wal.durability,
            last_sync_ms: wal.lastSyncMs,
            syncs: wal.syncs,
          },
        },
      };
    },
  }),
  httpRoute({
    method: 'GET',
    path: '/api/v1/nodes',
    summary: 'The nodes of the cluster.',
    parameters: {},
    answers: { 200: 'The nodes.' },
    allOrigins: false,
    handle: async (_request, _context, services) => ({
      data: { nodes: [nodeFields(services.node.status(), services)] },
    }),
  }),
  httpRoute({
    method: 'GET',
    path: '/api/v1/metrics',
    summary: 'The metrics of /metrics as JSON.',
    parameters: {},
    answers: { 200: 'The metrics.' },
    allOrigins: false,
    handle: async (_request, _context, { metrics }) => ({ data: { metrics: await metrics.values() } }),
  }),
  httpRoute({
    method: 'POST',
    path: '/api/v1/shutdown',
    summary: 'Stops the node: refuses, drains, flushes, ends. Answers when it has begun.',
    parameters: {},
    body: shutdownBody,
    answers: { 202: 'It has begun.' },
    allOrigins: false,
    async handle(request, _context, services) {
      const drainMs = request.body.force === true ? 0 : (request.body.drain_ms ?? defaultDrainMs);
      services.requestShutdown(drainMs);
      return { statusCode: 202, data: { message: 'shutting down', drain_ms: drainMs } };
    },
  }),
];
