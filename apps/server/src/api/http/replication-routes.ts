/** `/api/v1/replication`: shipping of multi-master logs, as this node sees it. */
import type { FollowerStatus, ShippingStatus } from '@shanghai/replication';
import { z } from 'zod';
import { pauseReplication } from '../grpc/replication-messages.js';
import { closedObject } from './closed-object.js';
import { type HttpRoute, httpRoute } from './http-route.js';
import { integerParameter, textParameter } from './query-parameters.js';

const pauseBody = closedObject({ follower: z.union([z.int().min(1), z.literal('all')]).optional() });

/** What may be asked for of shipping. */
export const followerParameters = {
  log: textParameter('a multi-master log, of which alone is told; without it of all together'),
  origin: integerParameter('of which alone is told', 1, Number.MAX_SAFE_INTEGER),
} as const;

/** What a follower lacks of an origin. */
export function followerFields(one: FollowerStatus): Record<string, unknown> {
  return {
    origin: one.origin,
    follower: one.follower,
    state: one.state,
    reason: one.reason,
    held_entries: one.heldEntries,
    lag_entries: one.lagEntries,
    lag_ms: Math.round(one.lagMs),
    since_progress_ms: one.sinceProgressMs < 0 ? null : Math.round(one.sinceProgressMs),
    is_shipping: one.isShipping,
    credit_entries: one.credit?.entries ?? null,
    credit_bytes: one.credit?.bytes ?? null,
    positions: one.positions.map(({ epoch, heldSequence, sequence }) => ({
      epoch,
      held_sequence: heldSequence,
      sequence,
    })),
  };
}

function shippingFields(one: ShippingStatus): Record<string, unknown> {
  return {
    follower: one.follower,
    credit_entries: one.creditEntries,
    credit_bytes: one.creditBytes,
    window_entries: one.windowEntries,
    window_bytes: one.windowBytes,
    is_paused: one.isPaused,
    sent_entries: one.sentEntries,
    sent_bytes: one.sentBytes,
    blocked_ms: Math.round(one.blockedMs),
  };
}

function pauseRoute(path: string, isPaused: boolean): HttpRoute {
  return httpRoute({
    method: 'POST',
    path,
    summary: isPaused
      ? 'Stops shipping to a follower, or to all of them, until it is resumed or the node is stopped.'
      : 'Goes on shipping to a follower, or to all of them.',
    parameters: {},
    body: pauseBody,
    answers: { 200: 'Done.' },
    allOrigins: false,
    async handle(request, _context, { node }) {
      const { follower = 'all' } = request.body;
      await pauseReplication(node, follower === 'all' ? 0 : follower, isPaused);
      return { data: { follower, paused: isPaused } };
    },
  });
}

/** Routes about shipping. */
export const replicationRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'GET',
    path: '/api/v1/replication',
    summary:
      'Shipping of multi-master logs as this node sees it: what each follower lacks of each origin, and credits.',
    parameters: followerParameters,
    answers: { 200: 'How it stands.' },
    allOrigins: false,
    async handle({ query }, _context, { node }) {
      const status = node.replication?.status(query);
      return {
        data: {
          node_id: node.status().nodeId,
          is_active: status !== undefined,
          followers: (status?.followers ?? []).map(followerFields),
          shipping: (status?.shipping ?? []).map(shippingFields),
          unreachable: status?.unreachable ?? [],
        },
      };
    },
  }),
  pauseRoute('/api/v1/replication/pause', true),
  pauseRoute('/api/v1/replication/resume', false),
];
