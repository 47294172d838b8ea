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
  throw replacedError(nodeId, instanceId, known.instanceId);
}

/** What a node is told whose id another instance has. */
export function replacedError(nodeId: number, instanceId: string, knownInstanceId = 'another'): DataDirectoryError {
  return new DataDirectoryError(
    'REPLACED',
    `the cluster knows node ${nodeId} as instance ${knownInstanceId}, and this is instance ${instanceId}: its data ` +
      `directory was copied, restored or repaired, and may lack what it acknowledged; ${comeBack(nodeId)}`,
  );
}

/** What a node is told that another one refuses as an instance that it is not: its directory is not what it was. */
export function replacedBy(refusingId: number, reason: string, { nodeId, path }: { nodeId: number; path: string }) {
  return new DataDirectoryError(
    'REPLACED',
    `node ${refusingId} of this cluster knows another node ${nodeId} than the one in '${path}': this directory is new, or ` +
      `was emptied, copied, restored or repaired, and lacks what node ${nodeId} acknowledged (${reason}); ${comeBack(nodeId)}`,
    { details: { nodeId, refusedBy: refusingId } },
  );
}

/** How whoever lost its directory takes part again. */
export function comeBack(nodeId: number): string {
  return (
    `move the directory away, start a node in an empty one with --join <gRPC address of a member>, under a new id, and ` +
    `tell the cluster with 'shanghaictl node replace ${nodeId}'`
  );
}
