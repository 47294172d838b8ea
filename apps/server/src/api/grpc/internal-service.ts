import type { InternalServer } from '@shanghai/proto';
import { type CatalogueCommand, parseCatalogueCommand } from '../../apply/catalogue-command.js';
import { ServerError } from '../../requests/server-error.js';
import type { ApiServices } from '../api-services.js';
import { unaryCall } from './unary-call.js';

/** The Internal service: what other nodes of the cluster ask. */
export function internalService(services: ApiServices): InternalServer {
  const { node } = services;
  return {
    proposeCatalogue: unaryCall(services, 'Internal/ProposeCatalogue', async ({ clusterId, change }) => {
      const own = node.status().clusterId;
      if (clusterId !== own) {
        throw new ServerError('CLUSTER_ERROR', `this is cluster '${own}', not '${clusterId}'; nothing was done`);
      }
      if (node.proposeCatalogue === undefined) {
        throw new ServerError('UNSUPPORTED', 'this node takes no changes of the catalogue from others');
      }
      return { appliedIndex: BigInt(await node.proposeCatalogue(changeOf(change))) };
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
