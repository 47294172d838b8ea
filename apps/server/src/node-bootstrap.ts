import { invariant } from '@shanghai/env';
import type { NodeEntry } from './apply/catalogue-command.js';
import { DataDirectoryError } from './data-directory-error.js';
import type { Replica } from './raft/replica.js';

/** What a cluster is made with, and who this node is. */
export interface BootstrapOptions {
  readonly clusterId: string;
  readonly slots: number;
  readonly maxValueBytes: number;
  readonly node: NodeEntry;
}

/** Version of the commands that all nodes of the cluster know. */
const clusterVersion = 1;

/**
 * Brings the groups to agree after a start: the cluster exists, this node is in the node table, the data group knows the
 * settings and holds exactly the catalogue's logs. Every step is an entry, skipped where nothing is to change, so a
 * crash in between is repaired by the next start.
 */
export async function bootstrap(system: Replica, data: Replica, options: BootstrapOptions): Promise<void> {
  if (system.machine.catalogue.cluster === undefined) {
    const { clusterId, slots, maxValueBytes } = options;
    const change = { type: 'bootstrap', clusterId, clusterVersion, slots, maxValueBytes } as const;
    await system.propose({ kind: 'catalogue', change });
  }
  const { cluster } = system.machine.catalogue;
  invariant(cluster !== undefined, 'the cluster was bootstrapped');
  if (cluster.clusterId !== options.clusterId) {
    throw new DataDirectoryError(
      'DAMAGED',
      `node.json names cluster ${options.clusterId}, the system group ${cluster.clusterId}; restore node.json`,
    );
  }
  const known = system.machine.catalogue.nodes.find(({ nodeId }) => nodeId === options.node.nodeId);
  if (JSON.stringify(known) !== JSON.stringify(options.node)) {
    await system.propose({ kind: 'catalogue', change: { type: 'putNode', node: options.node } });
  }
  const { version, maxValueBytes } = cluster.settings;
  if (data.machine.visible.settingsVersion < version) {
    await data.propose({ kind: 'settings', version, maxValueBytes, slots: cluster.slots });
  }
  await reconcileLogs(system, data);
}

/** A crash may fall between the catalogue's entry and the group's. */
async function reconcileLogs(system: Replica, data: Replica): Promise<void> {
  const catalogued = system.machine.catalogue.logs().filter(({ groupId }) => groupId === data.groupId);
  for (const { logId, origin } of catalogued) {
    if (data.machine.logs.get(logId) === undefined) await data.propose({ kind: 'logStart', logId, origin });
  }
  const ids = new Set(catalogued.map(({ logId }) => logId));
  for (const logId of data.machine.logs.ids()) {
    if (!ids.has(logId)) await data.propose({ kind: 'logDrop', logId });
  }
}
