/** `/api/v1`: for operators and their tools, never for pages of other origins. */
import { z } from 'zod';
import type { ConsensusStatus, GroupStatus } from '../../node.js';
import { defaultDrainMs } from '../api-services.js';
import { gossipOf } from '../grpc/gossip-calls.js';
import { requireMembers } from '../grpc/member-calls.js';
import { type KnownNode, knownNodes } from '../known-nodes.js';
import { replicaStateName } from '../replica-state.js';
import { closedObject } from './closed-object.js';
import { checkFields, reasonFields } from './health-fields.js';
import { type HttpRoute, httpRoute } from './http-route.js';
import { statusFields } from './status-routes.js';

const maxDrainMs = 600_000;

const shutdownBody = closedObject({
  drain_ms: z.int().min(0).max(maxDrainMs).optional(),
  force: z.boolean().optional(),
  leave: z.boolean().optional(),
});

function nodeFields(node: KnownNode): Record<string, unknown> {
  return {
    id: node.nodeId,
    name: node.name,
    instance_id: node.instanceId,
    status: node.state,
    http_address: node.httpAddress,
    grpc_address: node.grpcAddress,
    peer_address: node.peerAddress,
    membership: node.membership,
    version: node.versions?.program ?? '',
    lowest_cluster_version: node.versions?.lowest ?? 0,
    highest_cluster_version: node.versions?.highest ?? 0,
    ...(node.replacedBy === undefined ? {} : { replaced_by: node.replacedBy }),
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
    ...(group.consensus === undefined ? {} : consensusFields(group.consensus)),
  };
}

function consensusFields(consensus: ConsensusStatus): Record<string, unknown> {
  const { voters, votersOutgoing, learners, learnersNext } = consensus.configuration;
  return {
    is_learner: consensus.isLearner,
    is_asleep: consensus.isAsleep,
    log_bytes: consensus.logBytes,
    state: consensus.state,
    leader_heard_ms_ago: consensus.leaderHeardMsAgo ?? null,
    proposals_in_flight: consensus.proposalsInFlight,
    replicas: consensus.replicas.map((replica) => ({
      node_id: replica.nodeId,
      match_index: replica.matchIndex,
      state: replicaStateName(replica.state),
      is_learner: replica.isLearner,
      is_active: replica.isActive,
      snapshot_sent: replica.snapshotSent ?? null,
    })),
    configuration: { voters, voters_outgoing: votersOutgoing, learners, learners_next: learnersNext },
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
      const { state, reasons, nodes: conditions } = services.health.cluster(status);
      const nodes = knownNodes(status, services.addresses(), conditions);
      return {
        data: {
          cluster_state: state,
          reasons: reasons.map(reasonFields),
          checks: services.health.checks().map(checkFields),
          node_count: nodes.length,
          nodes_up: nodes.filter(({ state }) => state === 'up').length,
          nodes_suspect: gossipOf(services.node)
            .members()
            .filter(({ state }) => state === 'suspect').length,
          nodes_down: nodes.filter(({ state }) => state === 'down').length,
          local_node_id: status.nodeId,
          cluster_version: status.clusterVersion ?? 0,
          cluster_version_name: status.clusterVersionName ?? '',
          clock: {
            offset_ms: status.clockOffsetMs ?? null,
            alarm: status.clockAlarm ?? false,
            peers_heard: status.clockPeersHeard ?? 0,
          },
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
            disk_stalls: wal.diskStalls ?? 0,
            waiting_ms: wal.waitingMs ?? 0,
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
    async handle(_request, _context, services) {
      const status = services.node.status();
      const { nodes } = services.health.cluster(status);
      const settings = services.node.members?.settings();
      return {
        data: {
          nodes: knownNodes(status, services.addresses(), nodes).map(nodeFields),
          replication_factor: settings?.replicationFactor ?? null,
          removed_node_ids: settings?.removedNodeIds ?? [],
        },
      };
    },
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
    summary:
      'Stops the node: hands over, drains, flushes, ends. With leave the cluster takes it out first, and it ends when it ' +
      'is out. Answers when that has begun.',
    parameters: {},
    body: shutdownBody,
    answers: { 202: 'It has begun.' },
    allOrigins: false,
    async handle(request, _context, services) {
      const { leave, force, drain_ms: wantedMs } = request.body;
      if (leave === true) {
        const { node } = services;
        const { nodeId } = node.status();
        // It is told when it is out, and ends by itself.
        await requireMembers(node).leave(nodeId, force === true);
        return { statusCode: 202, data: { message: 'leaving', node_id: nodeId } };
      }
      const drainMs = force === true ? 0 : (wantedMs ?? defaultDrainMs);
      services.requestShutdown(drainMs);
      return { statusCode: 202, data: { message: 'shutting down', drain_ms: drainMs } };
    },
  }),
];
