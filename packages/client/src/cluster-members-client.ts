import type { CallEnvironment } from './calls/call-environment.js';
import { callUnary } from './calls/unary-calls.js';
import type { ClusterMembers } from './cluster-members.js';
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
