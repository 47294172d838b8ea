/** The procedures of the Cluster service that change who belongs to the cluster. */
import type {
  ClusterServer,
  JoinNodeRequest,
  ListNodesResponse,
  MemberAddress as MemberAddressMessage,
} from '@shanghai/proto';
import type { MemberAddress, NodeMembers } from '../../members/node-members.js';
import type { ShanghaiNode } from '../../node.js';
import { ServerError } from '../../requests/server-error.js';
import type { ApiServices } from '../api-services.js';
import { unaryCall } from './unary-call.js';
import { safeNumber } from './wire-numbers.js';

/** Those procedures. */
export type MemberCalls = Pick<
  ClusterServer,
  'joinNode' | 'reserveNode' | 'leaveNode' | 'replaceNode' | 'setReplicationFactor'
>;

/** Makes them. */
export function memberCalls(services: ApiServices): MemberCalls {
  const { node } = services;
  return {
    joinNode: unaryCall(services, 'Cluster/JoinNode', async ({ nodeId, ...request }) => {
      const { instanceId, peerAddress, name } = request;
      const own = { instanceId, peerAddress, name, nodeId: safeNumber(nodeId, 'node_id') };
      const joined = await requireMembers(node).join({ ...own, ...versionsOf(request) });
      const { clusterId, members } = joined;
      return { clusterId, nodeId: BigInt(joined.nodeId), members: members.map(addressMessage) };
    }),
    reserveNode: unaryCall(services, 'Cluster/ReserveNode', async (request) => {
      const { clusterId, nodeId, joinAddresses } = await requireMembers(node).reserve(request);
      return { clusterId, nodeId: BigInt(nodeId), joinAddresses: [...joinAddresses] };
    }),
    leaveNode: unaryCall(services, 'Cluster/LeaveNode', async ({ nodeId, force }) => {
      await requireMembers(node).leave(safeNumber(nodeId, 'node_id'), force);
      return {};
    }),
    replaceNode: unaryCall(services, 'Cluster/ReplaceNode', async ({ nodeId, replacementNodeId, force }) => {
      const replacedBy = safeNumber(replacementNodeId, 'replacement_node_id');
      await requireMembers(node).replace(safeNumber(nodeId, 'node_id'), replacedBy, force);
      return {};
    }),
    setReplicationFactor: unaryCall(services, 'Cluster/SetReplicationFactor', async ({ replicationFactor }) => {
      await requireMembers(node).setReplicationFactor(replicationFactor);
      return {};
    }),
  };
}

function versionsOf(request: Pick<JoinNodeRequest, 'version' | 'lowestClusterVersion' | 'highestClusterVersion'>) {
  const { version: program, lowestClusterVersion: lowest, highestClusterVersion: highest } = request;
  return highest === 0 ? {} : { versions: { program, lowest, highest } };
}

/** The members of a node's cluster; `UNSUPPORTED` where it has none to change. */
export function requireMembers(node: ShanghaiNode): NodeMembers {
  if (node.members !== undefined) return node.members;
  throw new ServerError('UNSUPPORTED', 'this node has no cluster that could be changed');
}

/** Where a node is reached. */
export function addressMessage({ nodeId, ...rest }: MemberAddress): MemberAddressMessage {
  return { nodeId: BigInt(nodeId), ...rest };
}

/** What the node table says beside its lines. */
export function settingsMessage(node: ShanghaiNode): Pick<ListNodesResponse, 'replicationFactor' | 'removedNodeIds'> {
  const settings = node.members?.settings();
  return {
    replicationFactor: settings?.replicationFactor ?? 0,
    removedNodeIds: (settings?.removedNodeIds ?? []).map(BigInt),
  };
}
