/**
 * Whether the leader of the system group takes a change of the node table now. The table itself (apply/node-table.ts)
 * refuses what can never be; here is refused what would be a mistake at this moment, as far as one node can see it.
 */
import type { Catalogue } from '../apply/catalogue.js';
import type { CatalogueCommand, NodeEntry } from '../apply/catalogue-command.js';
import { ServerError } from '../requests/server-error.js';
import { type GroupView, hasMajority } from './plan-group.js';

/** What is looked at. */
export interface AdmissionView {
  readonly catalogue: Catalogue;
  /** The system group as this node, its leader, sees it. */
  readonly group: GroupView;
  /** Whether this node acknowledges only what is on its disk. */
  readonly isSynced: boolean;
  /** Where the other nodes reach this one; `''`: nowhere. */
  readonly ownAddress: string;
}

/** Throws a `ServerError` where a change is not to be made now. */
export function admitChange(change: CatalogueCommand, view: AdmissionView): void {
  switch (change.type) {
    case 'putNode':
      admitNode(change.node, view.catalogue);
      return;
    case 'joinNode':
      admitJoin(view);
      return;
    case 'leaveNode':
    case 'replaceNode':
      if (!change.force) admitLeave(change, view);
      return;
    case 'recovered':
      throw new ServerError('PERMISSION_DENIED', "only 'shanghai recover' does that, on a node that does not run");
    default:
  }
}

/** Another instance under a known id may lack what that node acknowledged; a node alone misleads nobody. */
function admitNode({ nodeId, instanceId }: NodeEntry, { nodes }: Catalogue): void {
  const known = nodes.find((node) => node.nodeId === nodeId);
  if (known === undefined || known.instanceId === instanceId || nodes.length < 2) return;
  throw new ServerError(
    'PERMISSION_DENIED',
    `node ${nodeId} is known as instance ${known.instanceId}, not ${instanceId}; start in an empty directory with --join`,
  );
}

function admitJoin({ group, isSynced, ownAddress }: AdmissionView): void {
  if (ownAddress === '') {
    throw new ServerError(
      'CONFLICT',
      `node ${group.selfId} has no listener for other nodes, because it was started alone; restart it with --peer-port ` +
        '9190 (and --host or --advertise-host where the other nodes run on other machines), then join',
    );
  }
  if (isSynced) return;
  throw new ServerError(
    'CONFLICT',
    `node ${group.selfId} acknowledges writes before they are on its disk, which is only for a node alone; restart it ` +
      'with --durability always, then join',
  );
}

function admitLeave(
  change: Extract<CatalogueCommand, { type: 'leaveNode' | 'replaceNode' }>,
  { catalogue, group }: AdmissionView,
): void {
  const { nodeId } = change;
  const busy = catalogue.nodes.find((node) => node.state === 'leaving' && node.nodeId !== nodeId);
  if (busy !== undefined) {
    throw new ServerError(
      'CONFLICT',
      `node ${busy.nodeId} is leaving; nothing was done, wait until it is gone, or use --force`,
      { details: { leavingNodeId: busy.nodeId } },
    );
  }
  const rest = group.voters.filter((id) => id !== nodeId);
  if (change.type === 'replaceNode' || rest.length === group.voters.length || hasMajority(group, rest)) return;
  throw new ServerError(
    'CONFLICT',
    `without node ${nodeId} the voters ${rest.join(', ')} would be left, and most of them are not up; nothing was done. ` +
      'Bring them back first, replace node ' +
      `${nodeId} instead, or use --force: then it leaves as soon as they are up`,
    { details: { remainingVoters: rest } },
  );
}
