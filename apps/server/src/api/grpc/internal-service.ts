import type { InternalServer } from '@shanghai/proto';
import { type CatalogueCommand, parseCatalogueCommand } from '../../apply/catalogue-command.js';
import { ServerError } from '../../requests/server-error.js';
import type { ApiServices } from '../api-services.js';
import { groupMessage } from './cluster-messages.js';
import { checkMessage } from './health-messages.js';
import { addressMessage, requireMembers } from './member-calls.js';
import { requireSameCluster, unaryCall } from './unary-call.js';
import { safeNumber } from './wire-numbers.js';

/** The Internal service: what other nodes of the cluster ask. */
export function internalService(services: ApiServices): InternalServer {
  const { node } = services;
  return {
    proposeCatalogue: unaryCall(services, 'Internal/ProposeCatalogue', async ({ clusterId, change }) => {
      requireSameCluster(clusterId, services);
      if (node.proposeCatalogue === undefined) {
        throw new ServerError('UNSUPPORTED', 'this node takes no changes of the catalogue from others');
      }
      return { appliedIndex: BigInt(await node.proposeCatalogue(changeOf(change))) };
    }),
    checkMember: unaryCall(services, 'Internal/CheckMember', async ({ clusterId, nodeId, instanceId }) => {
      requireSameCluster(clusterId, services);
      const { verdict, members } = requireMembers(node).check(safeNumber(nodeId, 'node_id'), instanceId);
      return { verdict, members: members.map(addressMessage) };
    }),
    advanceTime: unaryCall(services, 'Internal/AdvanceTime', async ({ clusterId, groupId }) => {
      requireSameCluster(clusterId, services);
      if (node.advanceTime === undefined) throw new ServerError('UNSUPPORTED', 'this node leads nothing for others');
      return { appliedIndex: BigInt(await node.advanceTime(safeNumber(groupId, 'group_id'))) };
    }),
    getHealth: unaryCall(services, 'Internal/GetHealth', async ({ clusterId }) => {
      requireSameCluster(clusterId, services);
      const { nodeId, instanceId, groups } = node.status();
      return {
        nodeId: BigInt(nodeId),
        instanceId,
        groups: groups.map(groupMessage),
        checks: services.health.checks().map(checkMessage),
      };
    }),
  };
}

/** The change, which is never the making of the cluster: that is its first members' own. */
function changeOf(bytes: Uint8Array): CatalogueCommand {
  let change: CatalogueCommand;
  try {
    change = parseCatalogueCommand(bytes);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ServerError('INVALID_REQUEST', `the change cannot be read: ${why}`, { cause: error });
  }
  if (change.type !== 'bootstrap') return change;
  throw new ServerError('PERMISSION_DENIED', 'a cluster is made by its first members only');
}
