/** The procedures of the Cluster service that show who is there and alive, by gossip. */
import type { ClusterServer, MemberDescription } from '@shanghai/proto';
import { aloneGossip, type GossipMember, type NodeGossip } from '../../membership/node-gossip.js';
import type { ShanghaiNode } from '../../node.js';
import type { ApiServices } from '../api-services.js';
import { unaryCall } from './unary-call.js';
import { safeNumber } from './wire-numbers.js';

/** Those procedures. */
export type GossipCalls = Pick<ClusterServer, 'listMembers' | 'listMemberEvents'>;

/** Events in an answer where nothing is said, and at most. */
export const eventLimits = { usual: 100, most: 1_000, longestWaitMs: 30_000 } as const;

/** Makes them. */
export function gossipCalls(services: ApiServices): GossipCalls {
  const { node } = services;
  return {
    listMembers: unaryCall(services, 'Cluster/ListMembers', async () => {
      const gossip = gossipOf(node);
      const { isIsolated: isolated, viewHash } = gossip.view();
      const nodeId = BigInt(node.status().nodeId);
      return { nodeId, members: gossip.members().map(memberMessage), isolated, viewHash };
    }),
    listMemberEvents: unaryCall(services, 'Cluster/ListMemberEvents', async (request) => {
      const gossip = gossipOf(node);
      const after = safeNumber(request.after, 'after');
      const limit = Math.min(request.limit === 0 ? eventLimits.usual : request.limit, eventLimits.most);
      if (request.waitMs > 0) await gossip.waitForEvent(after, Math.min(request.waitMs, eventLimits.longestWaitMs));
      const { events, last } = gossip.events(after, limit);
      const messages = events.map(({ number, atMs, nodeId, ...rest }) => {
        return { number: BigInt(number), atMs: BigInt(atMs), nodeId: BigInt(nodeId), ...rest };
      });
      return { events: messages, last: BigInt(last) };
    }),
  };
}

/** The gossip of a node; one that is alone sees itself. */
export function gossipOf(node: ShanghaiNode): NodeGossip {
  return node.gossip ?? aloneGossip(() => node.status());
}

function memberMessage(member: GossipMember): MemberDescription {
  const { nodeId, incarnation, heardAgoMs, isObserved, name, address, instanceId, state, tags } = member;
  return {
    nodeId: BigInt(nodeId),
    incarnation: BigInt(incarnation),
    heardMsAgo: heardAgoMs === undefined ? undefined : BigInt(Math.round(heardAgoMs)),
    observed: isObserved,
    ...{ name, address, instanceId, state, tags: { ...tags } },
  };
}
