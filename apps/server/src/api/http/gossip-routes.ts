/** Who is there and alive, as this node sees it by gossip, and what it was told of that. */
import type { GossipEvent, GossipMember } from '../../membership/node-gossip.js';
import { eventLimits, gossipOf } from '../grpc/gossip-calls.js';
import { type HttpRoute, httpRoute } from './http-route.js';
import { integerParameter } from './query-parameters.js';

/** Those routes. */
export const gossipRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'GET',
    path: '/api/v1/members',
    summary: 'Who is there and alive, as this node sees it by gossip. Who belongs to the cluster is in /api/v1/nodes.',
    parameters: {},
    answers: { 200: 'The members.' },
    allOrigins: false,
    async handle(_request, _context, { node }) {
      const gossip = gossipOf(node);
      const { isIsolated, viewHash } = gossip.view();
      const members = gossip.members().map(memberFields);
      return { data: { node_id: node.status().nodeId, isolated: isIsolated, view_hash: viewHash, members } };
    },
  }),
  httpRoute({
    method: 'GET',
    path: '/api/v1/events',
    summary: 'What this node was told of members since it started, oldest first. The last thousand are kept.',
    parameters: {
      after: integerParameter('Only events behind this number.', 0, Number.MAX_SAFE_INTEGER),
      limit: integerParameter('At most so many.', 1, eventLimits.most),
      wait_ms: integerParameter('Where there is none, wait so long for one.', 0, eventLimits.longestWaitMs),
    },
    answers: { 200: 'The events.' },
    allOrigins: false,
    async handle({ query }, _context, { node }) {
      const gossip = gossipOf(node);
      const { after = 0, limit = eventLimits.usual, wait_ms: waitMs = 0 } = query;
      if (waitMs > 0) await gossip.waitForEvent(after, waitMs);
      const { events, last } = gossip.events(after, limit);
      return { data: { events: events.map(eventFields), last } };
    },
  }),
];

function memberFields(member: GossipMember): Record<string, unknown> {
  const { nodeId, name, address, instanceId, incarnation, state, tags, heardAgoMs, isObserved } = member;
  return {
    id: nodeId,
    name,
    state,
    peer_address: address,
    instance_id: instanceId,
    incarnation,
    tags,
    heard_ms_ago: heardAgoMs === undefined ? null : Math.round(heardAgoMs),
    observed: isObserved,
  };
}

function eventFields({
  number,
  atMs,
  type,
  nodeId,
  name,
  address,
  before,
  detail,
}: GossipEvent): Record<string, unknown> {
  return { number, at_ms: atMs, type, node_id: nodeId, name, peer_address: address, before, detail };
}
