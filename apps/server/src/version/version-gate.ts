/** Where a cluster version keeps something from happening, and what is said then. */
import type { Catalogue } from '../apply/catalogue.js';
import type { CatalogueCommand, NodeEntry } from '../apply/catalogue-command.js';
import { DataDirectoryError } from '../data-directory-error.js';
import { ServerError } from '../requests/server-error.js';
import { clusterVersionName, nodesWithout, type SupportedVersions, versionOfChange } from './cluster-version.js';

/** Throws `ServerError` `UNSUPPORTED` where a change may not be proposed yet: some node would not understand it. */
export function requireVersionFor(change: CatalogueCommand, { cluster, nodes }: Pick<Catalogue, 'cluster' | 'nodes'>) {
  if (cluster === undefined || change.type === 'raiseClusterVersion') return;
  const needed = versionOfChange(change);
  if (needed <= cluster.clusterVersion) return;
  // A node that is gone for good and never said what it ran must not keep the others from taking it out.
  const goes = change.type === 'leaveNode' || change.type === 'replaceNode' || change.type === 'placeNode';
  const without = nodesWithout(needed, nodes);
  const inTheWay = goes ? without.filter(({ nodeId }) => nodeId !== change.nodeId) : without;
  if (goes && inTheWay.length === 0) return;
  throw notYet(change.type, needed, cluster.clusterVersion, inTheWay);
}

/** Throws `ServerError` `UNSUPPORTED` where a command of a group may not be proposed yet. */
export function requireVersion(
  what: string,
  needed: number,
  { cluster, nodes }: Pick<Catalogue, 'cluster' | 'nodes'>,
): void {
  if (cluster === undefined || needed <= cluster.clusterVersion) return;
  throw notYet(what, needed, cluster.clusterVersion, nodesWithout(needed, nodes));
}

function notYet(what: string, needed: number, clusterVersion: number, nodes: readonly NodeEntry[]): ServerError {
  const names = nodes.map(({ nodeId, versions }) => `node ${nodeId} (${versions?.program || 'first release'})`);
  const todo = names.length === 0 ? 'ask again soon' : `upgrade ${names.join(', ')}`;
  return new ServerError(
    'UNSUPPORTED',
    `'${what}' needs cluster version ${clusterVersionName(needed)}, and the cluster works in ${clusterVersionName(clusterVersion)}; ` +
      `nothing was done; ${todo}`,
    { details: { clusterVersion, neededClusterVersion: needed, nodes: nodes.map(({ nodeId }) => nodeId) } },
  );
}

/** Throws `ServerError` `UNSUPPORTED` where a node that wants to join cannot work in the cluster's version. */
export function requireJoinable(versions: SupportedVersions, clusterVersion: number): void {
  if (versions.lowest <= clusterVersion && clusterVersion <= versions.highest) return;
  throw new ServerError('UNSUPPORTED', unsupported(versions, clusterVersion), { details: { clusterVersion } });
}

/** Throws `DataDirectoryError` `UNSUPPORTED_FORMAT` where this program cannot work in the version of the directory's cluster. */
export function requireSupported(path: string, clusterVersion: number, supported: SupportedVersions): void {
  if (supported.lowest <= clusterVersion && clusterVersion <= supported.highest) return;
  throw new DataDirectoryError(
    'UNSUPPORTED_FORMAT',
    `data directory '${path}': ${unsupported(supported, clusterVersion)}`,
  );
}

function unsupported({ lowest, highest }: SupportedVersions, clusterVersion: number): string {
  const range =
    lowest === highest ? clusterVersionName(lowest) : `${clusterVersionName(lowest)} to ${clusterVersionName(highest)}`;
  const todo = clusterVersion > highest ? 'start a newer program' : 'start a program between the two first';
  return `the cluster works in version ${clusterVersionName(clusterVersion)}, this program supports ${range}; ${todo}`;
}
