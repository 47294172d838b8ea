import type { NodeEntry } from './apply/catalogue-command.js';
import { DataDirectoryError } from './data-directory-error.js';
import type { Replica } from './raft/replica.js';

/**
 * Throws `DataDirectoryError` `REPLACED` where the node table knows another instance of this node and there are other
 * members: what that instance acknowledged to them this one may not hold. A node alone has nobody to mislead.
 */
export function refuseReplaced(
  system: Replica,
  { nodeId, instanceId }: Pick<NodeEntry, 'nodeId' | 'instanceId'>,
): void {
  const known = system.machine.catalogue.nodes.find((node) => node.nodeId === nodeId);
  if (known === undefined || known.instanceId === instanceId) return;
  const { voters, votersOutgoing, learners } = system.log.status().raft.configuration;
  if (new Set([...voters, ...votersOutgoing, ...learners]).size < 2) return;
  throw new DataDirectoryError(
    'REPLACED',
    `the cluster knows node ${nodeId} as instance ${known.instanceId}, and this is instance ${instanceId}: its data ` +
      'directory was copied, restored or repaired, and may lack what it acknowledged; add it as a new node, under a new ' +
      'id and in an empty directory',
  );
}
