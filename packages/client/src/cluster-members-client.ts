import type { MemberDescription, MemberEvent } from '@shanghai/proto';
import type { CallEnvironment } from './calls/call-environment.js';
import { callUnary } from './calls/unary-calls.js';
import type { ClusterMembers, SeenEvent, SeenMember } from './cluster-members.js';
import { nodeOf } from './wire/status-wire.js';
import { toNumber, toUint64 } from './wire/wire-values.js';

/** The members of the cluster that a client is connected to. */
export function clusterMembersOf(environment: CallEnvironment): ClusterMembers {
  return {
    async table(options) {
      const table = await callUnary(environment, 'listNodes', {}, 'repeatable', options);
      const { nodes, replicationFactor, removedNodeIds } = table;
      return { nodes: nodes.map(nodeOf), replicationFactor, removedNodeIds: removedNodeIds.map(toNumber) };
    },
    async seen(options) {
      const seen = await callUnary(environment, 'listMembers', {}, 'repeatable', options);
      const { nodeId, members, isolated: isIsolated, viewHash } = seen;
      return { nodeId: toNumber(nodeId), members: members.map(seenMemberOf), isIsolated, viewHash };
    },
    async events({ after = 0, limit = 0, waitMs = 0, ...options } = {}) {
      const request = { after: toUint64(after, 'after'), limit, waitMs };
      const timeoutMs = waitMs + (options.timeoutMs ?? environment.options.timeoutMs);
      const page = await callUnary(environment, 'listMemberEvents', request, 'repeatable', { ...options, timeoutMs });
      return { events: page.events.map(seenEventOf), last: toNumber(page.last) };
    },
    async reserve({ reservation, name = '', peerAddress = '', ...options }) {
      const request = { reservation, name, peerAddress };
      const reserved = await callUnary(environment, 'reserveNode', request, 'repeatable', options);
      const { clusterId, nodeId, joinAddresses } = reserved;
      return { clusterId, nodeId: toNumber(nodeId), joinAddresses };
    },
    async leave(nodeId, { force = false, ...options } = {}) {
      const request = { nodeId: toUint64(nodeId, 'nodeId'), force };
      await callUnary(environment, 'leaveNode', request, 'repeatable', options);
    },
    async replace(nodeId, { by = 0, force = false, ...options } = {}) {
      const replacementNodeId = toUint64(by, 'by');
      const request = { nodeId: toUint64(nodeId, 'nodeId'), replacementNodeId, force };
      await callUnary(environment, 'replaceNode', request, 'repeatable', options);
    },
    async setReplicationFactor(replicationFactor, options) {
      await callUnary(environment, 'setReplicationFactor', { replicationFactor }, 'repeatable', options);
    },
  };
}

function seenMemberOf(member: MemberDescription): SeenMember {
  const { nodeId, incarnation, heardMsAgo, observed: isObserved, name, address, instanceId, state, tags } = member;
  return {
    nodeId: toNumber(nodeId),
    incarnation: toNumber(incarnation),
    heardMsAgo: heardMsAgo === undefined ? undefined : toNumber(heardMsAgo),
    ...{ isObserved, name, address, instanceId, state, tags },
  };
}

function seenEventOf({ number, atMs, nodeId, type, name, address, before, detail }: MemberEvent): SeenEvent {
  const said = { type, name, address, before, detail };
  return { number: toNumber(number), atMs: toNumber(atMs), nodeId: toNumber(nodeId), ...said };
}
