/**
 * In which version the nodes of a cluster work together.
 *
 * A cluster is upgraded node by node, so for a while some of its nodes run an older program. What an older program does
 * not understand must not get into the log: it would have to stop there. So the system group keeps one number, the
 * *cluster version*, and whatever is new is used only from the version on in which it came. Every node says in the node
 * table which versions its program supports; when all of them support the next one, the leader of the system group raises
 * it. It is never lowered: from then on there may be things in the log that older programs do not understand.
 */
import type { Catalogue } from '../apply/catalogue.js';
import type { CatalogueCommand, NodeEntry, NodeVersions } from '../apply/catalogue-command.js';

/** Cluster versions that a program supports. The first release, version 1, did not say so. */
export type SupportedVersions = Pick<NodeVersions, 'lowest' | 'highest'>;

const firstRelease: SupportedVersions = { lowest: 1, highest: 1 };

/** What this program supports. */
export const supportedVersions: SupportedVersions = { lowest: 1, highest: 3 };

/** The release in which each version came. */
const releases: Readonly<Record<number, string>> = { 1: '0.1', 2: '0.2', 3: '0.3' };

/** The peer protocol that every program of a version speaks. */
const protocols: Readonly<Record<number, number>> = { 1: 1, 2: 2, 3: 2 };

/** The version in which a change of the catalogue came. Whoever adds one adds it here. */
const changeVersions: Readonly<Record<Exclude<CatalogueCommand['type'], 'raiseClusterVersion'>, number>> = {
  bootstrap: 1,
  putNode: 1,
  createKeyspace: 1,
  createLog: 1,
  deleteLog: 1,
  joinNode: 2,
  leaveNode: 2,
  replaceNode: 2,
  placeNode: 2,
  setReplication: 2,
  recovered: 2,
  beginEpoch: 3,
  beginRun: 3,
  deleteKeyspace: 3,
};

/** The release of which it is the version, such as `0.2`; of a version to come its number. */
export function clusterVersionName(version: number): string {
  return releases[version] ?? `number ${version}`;
}

/** The lowest version of the peer protocol that may be spoken in a cluster. `undefined`: the cluster is not made yet. */
export function lowestProtocol(clusterVersion: number | undefined): number {
  return protocols[clusterVersion ?? 1] ?? Math.max(...Object.values(protocols));
}

/** The cluster version from which on consumers store their positions in a log's group, and logs are compacted. */
export const logUpkeepVersion = 3;

/** The cluster version from which on there are keyspaces of mode multi-master. */
export const keyspaceModeVersion = 3;

/** The cluster version from which on writes that are proposed together are one entry. */
export const joinedVersion = 3;

/** Whether a cluster works in a version or a later one. */
export function worksIn(version: number, { cluster }: Pick<Catalogue, 'cluster'>): boolean {
  return cluster !== undefined && cluster.clusterVersion >= version;
}

/** The cluster version that a change needs. */
export function versionOfChange(change: CatalogueCommand): number {
  if (change.type === 'raiseClusterVersion') return change.version;
  if (change.type === 'createKeyspace' && change.mode !== undefined) return keyspaceModeVersion;
  if (change.type !== 'createLog') return changeVersions[change.type];
  const { mode, cleanupPolicy, retentionEntries } = change.settings;
  if (cleanupPolicy === 'compact' || retentionEntries !== undefined) return logUpkeepVersion;
  // Programs of before would put it into the data group.
  return mode === 'multi-master' ? 3 : changeVersions.createLog;
}

/** Whether a node can work in a version. One that has not said is of the first release. */
export function supports(node: { readonly versions?: SupportedVersions }, version: number): boolean {
  const { lowest, highest } = node.versions ?? firstRelease;
  return lowest <= version && version <= highest;
}

/** The nodes of the table that keep the cluster from a version: those that cannot work in it, and do not leave. */
export function nodesWithout(version: number, nodes: readonly NodeEntry[]): readonly NodeEntry[] {
  return nodes.filter((node) => node.state !== 'leaving' && node.instanceId !== '' && !supports(node, version));
}

/**
 * The version to raise a cluster to now, or `undefined`. `members`: everybody who is in some group; one that is not in
 * the node table has not said what it runs.
 */
export function versionToRaiseTo(
  catalogue: Pick<Catalogue, 'cluster' | 'nodes'>,
  members: readonly number[],
  supported: SupportedVersions,
): number | undefined {
  const { cluster, nodes } = catalogue;
  if (cluster === undefined) return undefined;
  const next = cluster.clusterVersion + 1;
  if (next > supported.highest || nodesWithout(next, nodes).length > 0) return undefined;
  return members.every((nodeId) => nodes.some((node) => node.nodeId === nodeId)) ? next : undefined;
}
