/** Who belongs to the cluster: reserving an id for a new node, taking a node out, replacing one. */
import { z } from 'zod';
import { maxReplicationFactor } from '../../apply/node-table.js';
import { ServerError } from '../../requests/server-error.js';
import { requireMembers } from '../grpc/member-calls.js';
import { closedObject } from './closed-object.js';
import { type HttpRoute, httpRoute } from './http-route.js';
import { booleanParameter } from './query-parameters.js';

const reserveBody = closedObject({
  name: z.string().optional(),
  peer_address: z.string().optional(),
  reservation: z.string().min(1).max(128).optional(),
});

const replaceBody = closedObject({
  by: z.int().min(1).optional(),
  force: z.boolean().optional(),
});

const replicationBody = closedObject({ replication_factor: z.int().min(1).max(maxReplicationFactor) });

/** Those routes. */
export const memberRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'POST',
    path: '/api/v1/nodes',
    summary: 'Sets a node id aside for a new node, which is then started with --join and this --node-id.',
    parameters: {},
    body: reserveBody,
    answers: { 201: 'The id, and whom the new node may be told to join.' },
    allOrigins: false,
    async handle({ body }, _context, services) {
      const { name = '', peer_address: peerAddress = '', reservation = services.newCorrelationId() } = body;
      const reserved = await requireMembers(services.node).reserve({ name, peerAddress, reservation });
      const { clusterId, nodeId, joinAddresses } = reserved;
      return { statusCode: 201, data: { node_id: nodeId, cluster_id: clusterId, join_addresses: joinAddresses } };
    },
  }),
  httpRoute({
    method: 'DELETE',
    path: '/api/v1/nodes/:id',
    summary: 'Takes a node out of all groups, then out of the cluster, for good. Answers when it has begun.',
    parameters: { force: booleanParameter('Also where those who remain have no majority now.') },
    answers: { 202: 'It has begun.' },
    allOrigins: false,
    async handle({ params, query }, _context, { node }) {
      const nodeId = nodeIdOf(params);
      await requireMembers(node).leave(nodeId, query.force === true);
      return { statusCode: 202, data: { node_id: nodeId, membership: 'leaving' } };
    },
  }),
  httpRoute({
    method: 'POST',
    path: '/api/v1/nodes/:id/replace',
    summary: 'Takes a node out when another one has caught up and takes its place. Answers when it has begun.',
    parameters: {},
    body: replaceBody,
    answers: { 202: 'It has begun.' },
    allOrigins: false,
    async handle({ params, body }, _context, { node }) {
      const nodeId = nodeIdOf(params);
      await requireMembers(node).replace(nodeId, body.by ?? 0, body.force === true);
      return { statusCode: 202, data: { node_id: nodeId, membership: 'leaving', replaced_by: body.by ?? 0 } };
    },
  }),
  httpRoute({
    method: 'PUT',
    path: '/api/v1/replication',
    summary: 'Sets how many voters a group has where there are nodes enough.',
    parameters: {},
    body: replicationBody,
    answers: { 200: 'It is set.' },
    allOrigins: false,
    async handle({ body }, _context, { node }) {
      await requireMembers(node).setReplicationFactor(body.replication_factor);
      return { data: { replication_factor: body.replication_factor } };
    },
  }),
];

function nodeIdOf({ id = '' }: Readonly<Record<string, string>>): number {
  if (/^[1-9]\d{0,9}$/.test(id)) return Number(id);
  throw new ServerError('INVALID_PARAMETERS', `'${id}' is no node id`);
}
