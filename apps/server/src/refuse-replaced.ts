import type { NodeEntry } from './apply/catalogue-command.js';
import { DataDirectoryError } from './data-directory-error.js';

/**
 * Throws `DataDirectoryError` `REPLACED` where the node table knows another instance of this node, and other nodes: what
 * that instance acknowledged to them this one may not hold, so it must not even vote. A node alone misleads nobody.
 */
export function refuseReplaced(
  nodes: readonly NodeEntry[],
  { nodeId, instanceId }: Pick<NodeEntry, 'nodeId' | 'instanceId'>,
): void {
  const known = nodes.find((node) => node.nodeId === nodeId);
  if (known === undefined || known.instanceId === instanceId || nodes.length < 2) return;
  throw new DataDirectoryError(
    'REPLACED',
    `the cluster knows node ${nodeId} as instance ${known.instanceId}, and this is instance ${instanceId}: its data ` +
      'directory was copied, restored or repaired, and may lack what it acknowledged; add it as a new node, under a new ' +
      'id and in an empty directory',
  );
}
